//! Password hashes that Django made: read and compared with a password, never made. The next sign-in replaces them.
//!
//! What a hash costs to check is written in itself, so a damaged or hostile one could bind a thread for hours or take all
//! memory. One that would cost too much is read as none: an import says so, and no password is right for it.

use std::fmt;
use std::num::NonZeroU32;

use aws_lc_rs::constant_time::verify_slices_are_equal;
use aws_lc_rs::{digest, pbkdf2};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use crate::auth::password::{Area, Stored};

/// What a check may cost at most, in microseconds as [`ForeignHash::work`] guesses them: Django's defaults are near a
/// quarter of a second.
const MOST_WORK: u64 = 6_000_000;
/// The memory of one check at most, in KiB. Django's scrypt takes 16 MiB, its argon2 100 MiB.
const MOST_MEMORY: u64 = 512 * 1024;
/// Django's column holds 128 characters.
const LONGEST: usize = 512;

/// A hash of one of Django's formats (CONTRACT 18).
pub enum ForeignHash {
    /// `pbkdf2_sha256$ITERATIONS$SALT$HASH`, `pbkdf2_sha1$…`.
    Pbkdf2 {
        /// Which of the two.
        algorithm: Digest,
        /// How often it is hashed.
        rounds: NonZeroU32,
        /// As printed.
        salt: Vec<u8>,
        /// 32 or 20 bytes.
        hash: Vec<u8>,
    },
    /// `argon2` and then PHC text.
    Argon2(Stored),
    /// `bcrypt$` and then bcrypt's own text.
    Bcrypt {
        /// What the text says.
        parts: bcrypt::HashParts,
        /// `bcrypt_sha256$`: of the password's SHA-256 in hexadecimal digits, since bcrypt reads 72 bytes alone.
        of_digest: bool,
    },
    /// `scrypt$N$SALT$R$P$HASH`.
    Scrypt {
        /// N, r and p.
        params: scrypt::Params,
        /// As printed.
        salt: Vec<u8>,
        /// 64 bytes.
        hash: Vec<u8>,
    },
}

/// The hash inside of PBKDF2.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Digest {
    /// SHA-256.
    Sha256,
    /// SHA-1.
    Sha1,
}

impl Digest {
    fn algorithm(self) -> pbkdf2::Algorithm {
        match self {
            Self::Sha256 => pbkdf2::PBKDF2_HMAC_SHA256,
            Self::Sha1 => pbkdf2::PBKDF2_HMAC_SHA1,
        }
    }
}

/// Why a text is no hash that a password could be right for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unfit {
    /// Django's mark of an account without a password: `!` and anything.
    Unusable,
    /// None of the formats.
    Unknown,
    /// One of the formats by its name, but it cannot be read.
    Damaged,
    /// To check it would cost too much.
    TooCostly,
}

impl fmt::Display for Unfit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Unusable => "it has no password",
            Self::Unknown => "its password hash is of no known format",
            Self::Damaged => "its password hash is damaged",
            Self::TooCostly => "its password hash would cost too much time or memory to check",
        })
    }
}

impl ForeignHash {
    /// Reads what Django keeps in `auth_user.password`.
    ///
    /// # Errors
    /// Why no password can be right for it.
    pub fn read(text: &str) -> Result<Self, Unfit> {
        if text.starts_with('!') {
            return Err(Unfit::Unusable);
        }
        let (format, rest) = text.split_once('$').ok_or(Unfit::Unknown)?;
        let known = ["pbkdf2_sha256", "pbkdf2_sha1", "argon2", "bcrypt", "bcrypt_sha256", "scrypt"].contains(&format);
        if !known {
            return Err(Unfit::Unknown);
        }
        if text.len() > LONGEST || text.contains(char::is_control) {
            return Err(Unfit::Damaged);
        }
        let read = match format {
            "pbkdf2_sha256" => Self::pbkdf2(Digest::Sha256, 32, rest),
            "pbkdf2_sha1" => Self::pbkdf2(Digest::Sha1, 20, rest),
            "argon2" => Stored::read_any(&format!("${rest}")).map(Self::Argon2),
            "scrypt" => Self::scrypt(rest),
            name => Self::bcrypt(rest, name == "bcrypt_sha256"),
        };
        let read = read.ok_or(Unfit::Damaged)?;
        if read.work() > MOST_WORK || read.memory() > MOST_MEMORY { Err(Unfit::TooCostly) } else { Ok(read) }
    }

    fn pbkdf2(algorithm: Digest, bytes: usize, rest: &str) -> Option<Self> {
        let [rounds, salt, hash] = parts(rest)?;
        let hash = decoded(hash, bytes)?;
        Some(Self::Pbkdf2 { algorithm, rounds: rounds.parse().ok()?, salt: salt.into(), hash })
    }

    fn bcrypt(rest: &str, of_digest: bool) -> Option<Self> {
        let known = ["$2a$", "$2b$", "$2y$"].iter().any(|version| rest.starts_with(version));
        let parts: bcrypt::HashParts = rest.parse().ok().filter(|_| known)?;
        (4..=31).contains(&parts.get_cost()).then_some(Self::Bcrypt { parts, of_digest })
    }

    fn scrypt(rest: &str) -> Option<Self> {
        let [n, salt, r, p, hash] = parts(rest)?;
        let n = n.parse::<u64>().ok().filter(|n| *n > 1 && n.is_power_of_two())?;
        let params = scrypt::Params::new(n.ilog2().try_into().ok()?, r.parse().ok()?, p.parse().ok()?).ok()?;
        Some(Self::Scrypt { params, salt: salt.into(), hash: decoded(hash, 64)? })
    }

    /// Whether the hash is of this password. What differs is not told by the time that it takes.
    pub fn is_of(&self, plain: &str, area: &mut Area) -> bool {
        match self {
            Self::Pbkdf2 { algorithm, rounds, salt, hash } => {
                pbkdf2::verify(algorithm.algorithm(), *rounds, salt, plain.as_bytes(), hash).is_ok()
            }
            Self::Argon2(stored) => stored.is_of(plain, area),
            Self::Bcrypt { parts, of_digest } => {
                let digest = of_digest.then(|| hex::encode(digest::digest(&digest::SHA256, plain.as_bytes())));
                let plain = digest.as_deref().unwrap_or(plain);
                // The texts are the canonical ones of the same kind, cost and salt.
                bcrypt::hash_with_salt(plain, parts.get_cost(), parts.get_salt_raw()).is_ok_and(|made| {
                    verify_slices_are_equal(made.to_string().as_bytes(), parts.to_string().as_bytes()).is_ok()
                })
            }
            Self::Scrypt { params, salt, hash } => {
                let mut made = [0; 64];
                scrypt::scrypt(plain.as_bytes(), salt, params, &mut made).is_ok()
                    && verify_slices_are_equal(&made, hash).is_ok()
            }
        }
    }

    /// Does the work by which this hash costs more than `other`, which was just checked; all of it if none was. So an
    /// account whose hash is cheaper cannot be told from others by the time of a refusal.
    pub fn make_up_for(&self, other: Option<&Self>, plain: &str, area: &mut Area) {
        match (self, other) {
            (
                Self::Pbkdf2 { algorithm, rounds, salt, hash },
                Some(Self::Pbkdf2 { algorithm: same, rounds: done, .. }),
            ) if algorithm == same => {
                if let Some(rounds) = NonZeroU32::new(rounds.get().saturating_sub(done.get())) {
                    let mut out = vec![0; hash.len()];
                    pbkdf2::derive(algorithm.algorithm(), rounds, salt, plain.as_bytes(), &mut out);
                }
            }
            (_, Some(other)) if other.work() >= self.work() => {}
            _ => {
                self.is_of(plain, area);
            }
        }
    }

    /// About how long a check takes, in microseconds on a middling machine: to bound it, and to tell the costlier of two.
    pub fn work(&self) -> u64 {
        match self {
            Self::Pbkdf2 { rounds, .. } => u64::from(rounds.get()) / 4,
            Self::Argon2(stored) => stored.memory_passes(),
            Self::Bcrypt { parts, .. } => 60_u64 << parts.get_cost(),
            Self::Scrypt { params, .. } => {
                params.n().saturating_mul(u64::from(params.r())).saturating_mul(u64::from(params.p())) / 3
            }
        }
    }

    /// The memory that a check takes, in KiB.
    fn memory(&self) -> u64 {
        match self {
            Self::Argon2(stored) => stored.memory(),
            Self::Scrypt { params, .. } => {
                params.n().saturating_add(u64::from(params.p())).saturating_mul(u64::from(params.r())) / 8
            }
            Self::Pbkdf2 { .. } | Self::Bcrypt { .. } => 0,
        }
    }
}

/// The parts between dollar signs, if there are exactly so many.
fn parts<const COUNT: usize>(text: &str) -> Option<[&str; COUNT]> {
    text.split('$').collect::<Vec<_>>().try_into().ok()
}

fn decoded(text: &str, bytes: usize) -> Option<Vec<u8>> {
    STANDARD.decode(text).ok().filter(|decoded| decoded.len() == bytes)
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::indexing_slicing)]
mod tests {
    use super::*;

    /// CONTRACT 18: made by Django 5.2 for `pässword`; the last three are of former days, for `password` by the books of
    /// their makers.
    const OF_DJANGO: [&str; 6] = [
        "pbkdf2_sha256$1000000$Un3RkNd4SVzwHPnB667sTW$DVYfJ/Gi2s5ywa/mxR4alfs9vSPNrXeyAi/V6wGk7ag=",
        "pbkdf2_sha1$1000000$EnAO0ob5P6jnG3zR6QLA5y$VNfVyE+SCU5HS8Bt6H5VHMpxdao=",
        "argon2$argon2id$v=19$m=102400,t=2,p=8$QzY4cGxLQUx3c0YyVkc4NDN5OTg4Ug$ZeLn96YPP1TFYjPd7bn9hVcoqj4vLnA7vaAqZ0jvcjI",
        "bcrypt_sha256$$2b$12$C/jmHs7MnSuPyddE6kn2N.lhOwLbOxgUf3H99lKjww3KOgRbD9.Zm",
        "bcrypt$$2b$12$52f6zxcW.XcqfuwhGcCA.egIpHwvf9s6EgZQIZpQ6Ai4DLVJRH0Ae",
        "scrypt$16384$PBKpyruB9ZdwbAV2C8Fy7F$8$5$qOk7ot5pUuZikmdIh3BQIqdd8NCROcnY0E2ywFfFnmjzI3740YDDNZWN+/7vRq4G+ujFccjHLXTAEbTfWCN5sw==",
    ];

    #[test]
    fn each_of_djangos_formats_is_right_for_its_password_alone() {
        for text in OF_DJANGO {
            let (hash, mut area) =
                (ForeignHash::read(text).unwrap_or_else(|unfit| panic!("{text}: {unfit}")), Area::new());
            assert!(hash.is_of("pässword", &mut area), "{text}");
            assert!(!hash.is_of("passwörd", &mut area), "{text}");
            assert!((100_000..1_000_000).contains(&hash.work()), "{text}: {}", hash.work());
        }
    }

    #[test]
    fn old_forms_of_argon2_and_bcrypt_are_read_too() {
        for (plain, text) in [
            ("password", "argon2$argon2i$m=65536,t=2,p=1$c29tZXNhbHQ$9sTbSlTio3Biev89thdrlKKiCaYsjjYVJxGAL3swxpQ"),
            ("password", "argon2$argon2i$v=19$m=65536,t=2,p=1$c29tZXNhbHQ$wWKIMhR9lyDFvRz9YTZweHKfbftvj+qf+YFY4NeBbtA"),
            ("U*U", "bcrypt$$2a$05$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW"),
        ] {
            let (hash, mut area) =
                (ForeignHash::read(text).unwrap_or_else(|unfit| panic!("{text}: {unfit}")), Area::new());
            assert!(hash.is_of(plain, &mut area), "{text}");
            assert!(!hash.is_of("passw0rd", &mut area), "{text}");
        }
    }

    #[test]
    fn what_no_password_can_be_right_for_is_told_why() {
        let [pbkdf2, _, argon2, _, bcrypt, scrypt] = OF_DJANGO;
        let bcrypt_of = |version: &str| bcrypt.replace("$2b$12$", version);
        for (text, unfit) in [
            ("!", Unfit::Unusable),
            ("!Zr9jGwhWmNEyZTcRYvQ3wXmKzQ1tLbYpVdXoHsAf", Unfit::Unusable),
            ("", Unfit::Unknown),
            ("hunter2", Unfit::Unknown),
            ("md5$004xLaaFsqMyLYhD5MlOPw$8b5c24b305f683ea5b12ab9103681d05", Unfit::Unknown),
            ("sha1$a$b", Unfit::Unknown),
            ("$argon2id$v=19$m=8,t=1,p=1$YWJjZGVmZ2g$YWJjZGVmZ2g", Unfit::Unknown),
            (&pbkdf2.replace("$1000000$", "$0$"), Unfit::Damaged),
            (&pbkdf2.replace("$1000000$", "$many$"), Unfit::Damaged),
            (&pbkdf2.replace("$1000000$", "$99999999999$"), Unfit::Damaged),
            (&pbkdf2[..pbkdf2.len() - 5], Unfit::Damaged),
            (&format!("{pbkdf2}$"), Unfit::Damaged),
            (&pbkdf2.replace("Un3R", "\0"), Unfit::Damaged),
            (&pbkdf2.replace("Un3R", &"x".repeat(600)), Unfit::Damaged),
            (&argon2.replace("m=102400", "m=0"), Unfit::Damaged),
            (&bcrypt_of("$2x$12$"), Unfit::Damaged),
            (&bcrypt_of("$2b$03$"), Unfit::Damaged),
            (&bcrypt_of("$2b$99$"), Unfit::Damaged),
            (&scrypt.replace("$16384$", "$16383$"), Unfit::Damaged),
            (&scrypt.replace("$16384$", "$0$"), Unfit::Damaged),
            (&scrypt.replace("$8$5$", "$0$5$"), Unfit::Damaged),
            (&pbkdf2.replace("$1000000$", "$4000000000$"), Unfit::TooCostly),
            (&argon2.replace("m=102400", "m=4000000"), Unfit::TooCostly),
            (&argon2.replace("t=2", "t=4000000000"), Unfit::TooCostly),
            (&bcrypt_of("$2b$31$"), Unfit::TooCostly),
            (&scrypt.replace("$16384$", "$1073741824$"), Unfit::TooCostly),
            (&scrypt.replace("$8$5$", "$8$4000000$"), Unfit::TooCostly),
        ] {
            assert_eq!(ForeignHash::read(text).err(), Some(unfit), "{text}");
        }
    }
}
