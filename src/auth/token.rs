//! Tokens: their kinds, their claims, and the one place where custom claims are made.
//!
//! A kind is a type. A `Token<Refresh>` exists only once a text was found to be signed by us, in date and of that kind, or
//! because we have just made it; a function that takes one cannot be given another.

use std::marker::PhantomData;
use std::time::Duration;

use serde_json::{Map, Number, Value};

use crate::auth::verdict::Reject;
use crate::clock::Timestamp;
use crate::error::{Error, Result};
use crate::model::session::SessionId;
use crate::model::user::User;
use crate::settings::TokenClaim;

/// A kind of token: what its `token_type` says.
pub trait Kind: 'static {
    /// The value of `token_type`.
    const TYPE: &'static str;
    /// simplejwt's name of the class, told to clients whose bearer token was refused.
    const CLASS: &'static str;
}

macro_rules! kinds {
    ($($(#[$doc:meta])* $kind:ident = $name:literal, $class:literal;)*) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy, Debug)]
        pub enum $kind {}
        impl Kind for $kind {
            const TYPE: &'static str = $name;
            const CLASS: &'static str = $class;
        }
    )*};
}

kinds! {
    /// Carried by every request; lives minutes.
    Access = "access", "AccessToken";
    /// Exchanged for access tokens; lives a day.
    Refresh = "refresh", "RefreshToken";
    /// Both at once: carried by requests, and exchanged for a later one of itself.
    Sliding = "sliding", "SlidingToken";
    /// Mailed: proves that an address is the user's.
    EmailVerification = "email_verification", "EmailVerificationToken";
    /// Mailed: lets the user set a new password.
    PasswordReset = "password_reset", "PasswordResetToken";
    /// Mailed: lets somebody make an account.
    Invitation = "invitation", "InvitationToken";
}

/// The claims of a token as they were signed: odd types and missing members are the contract's business.
#[derive(Clone, Debug, Default)]
pub struct Claims(Map<String, Value>);

/// The claims that are a token's own and not handed on from refresh to access token.
const OWN: [&str; 4] = ["token_type", "exp", "iat", "jti"];

impl Claims {
    /// Claims read from a payload.
    pub fn new(object: Map<String, Value>) -> Self {
        Self(object)
    }

    /// Claims read from the bytes of a payload, if they are one JSON object.
    pub fn parse(payload: &[u8]) -> Option<Self> {
        serde_json::from_slice(payload).ok().map(Self)
    }

    /// One claim, whatever its type.
    pub fn get(&self, name: &str) -> Option<&Value> {
        self.0.get(name)
    }

    /// One claim, if it is text.
    pub fn text(&self, name: &str) -> Option<&str> {
        self.0.get(name).and_then(Value::as_str)
    }

    /// All claims.
    pub fn object(&self) -> &Map<String, Value> {
        &self.0
    }

    /// The token's id.
    pub fn jti(&self) -> Option<&str> {
        self.text("jti")
    }

    /// The session that the token names.
    pub fn sid(&self) -> Option<SessionId> {
        self.text("sid").and_then(|text| text.parse().ok())
    }

    /// The session that a refresh or sliding token belongs to: the one it names or, for one made elsewhere, its own.
    pub fn session(&self) -> Option<SessionId> {
        self.sid().or_else(|| self.jti().map(SessionId::of_token))
    }

    /// The user's generation when the token was made; a token made elsewhere counts as of the first.
    pub fn generation(&self) -> i64 {
        self.0.get("gen").and_then(Value::as_i64).unwrap_or(0)
    }

    /// The moment that a numeric claim names (RFC 7519 §2); fractions of a second count.
    pub fn moment(&self, name: &str) -> Option<Timestamp> {
        self.0.get(name).and_then(moment)
    }

    /// Whether `iat` says that it was issued before `at`.
    pub fn was_issued_before(&self, at: Timestamp) -> bool {
        self.moment("iat").is_some_and(|iat| iat < at)
    }

    /// The user that the claim `name` names.
    pub fn user(&self, name: &str) -> Subject {
        match self.0.get(name) {
            None => Subject::Missing,
            Some(Value::String(text)) => Subject::of_text(text),
            Some(Value::Number(number)) => match number.as_i64() {
                Some(0) => Subject::Nobody,
                Some(id) => Subject::User(id),
                None => Subject::Unknown,
            },
            Some(Value::Null | Value::Bool(false)) => Subject::Nobody,
            Some(_) => Subject::Unknown,
        }
    }

    fn set(&mut self, name: &str, value: impl Into<Value>) {
        self.0.insert(name.to_owned(), value.into());
    }

    fn set_moment(&mut self, name: &str, at: Timestamp) {
        self.set(name, at.seconds());
    }
}

/// The last second of the year 9999: a later moment is none.
pub const LAST_EXP: i64 = 253_402_300_799;

/// A JSON number as a moment.
fn moment(value: &Value) -> Option<Timestamp> {
    const LAST: f64 = 253_402_300_799.0;
    let Value::Number(number) = value else { return None };
    if let Some(seconds) = number.as_i64() {
        return (seconds <= LAST_EXP).then(|| Timestamp::from_seconds(seconds));
    }
    let seconds = Number::as_f64(number).filter(|seconds| seconds.is_finite() && *seconds <= LAST)?;
    let past = Duration::try_from_secs_f64(seconds.abs()).ok()?;
    let epoch = Timestamp::from_seconds(0);
    Some(if seconds < 0.0 { epoch - past } else { epoch + past })
}

/// Whom a token is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Subject {
    /// The claim is not there.
    Missing,
    /// It is there and empty (null, false, zero, no text): a refresh asks no further, a request knows no such user.
    Nobody,
    /// It names a number, which may be a user's id.
    User(i64),
    /// It is nothing that could be a user's id.
    Unknown,
}

impl Subject {
    /// The user that a text names: only the plain form of a number does, without sign, space or leading zero.
    pub fn of_text(text: &str) -> Self {
        let digits = text.strip_prefix('-').unwrap_or(text);
        let plain = digits.bytes().all(|byte| byte.is_ascii_digit()) && !digits.starts_with('0');
        match text.parse::<i64>() {
            Ok(id) if plain => Self::User(id),
            _ if text.is_empty() => Self::Nobody,
            _ => Self::Unknown,
        }
    }

    /// The id, if it is one.
    pub fn id(self) -> Option<i64> {
        match self {
            Self::User(id) => Some(id),
            _ => None,
        }
    }
}

/// A token of the kind `K`: signed by us and in date, or about to be signed.
pub struct Token<K: Kind> {
    claims: Claims,
    kind: PhantomData<fn() -> K>,
}

impl<K: Kind> Clone for Token<K> {
    fn clone(&self) -> Self {
        Self { claims: self.claims.clone(), kind: PhantomData }
    }
}

impl<K: Kind> Token<K> {
    /// Takes claims whose signature and dates were found good for a token of this kind (CONTRACT 6, rows 7 to 9).
    ///
    /// # Errors
    /// What is missing, or that the kind is another.
    pub fn from_verified(claims: Claims) -> Result<Self, Reject> {
        Self::check(&claims).map(|()| Self { claims, kind: PhantomData })
    }

    /// The checks of [`Token::from_verified`] alone.
    ///
    /// # Errors
    /// The first that fails.
    pub fn check(claims: &Claims) -> Result<(), Reject> {
        has_exp_and_id(claims)?;
        match claims.get("token_type") {
            None => Err(Reject::NoType),
            Some(Value::String(kind)) if kind == K::TYPE => Ok(()),
            Some(_) => Err(Reject::WrongType),
        }
    }

    /// The claims.
    pub fn claims(&self) -> &Claims {
        &self.claims
    }

    /// The claims, taken out.
    pub fn into_claims(self) -> Claims {
        self.claims
    }

    fn begin(claims: Claims, iat: Timestamp, exp: Timestamp, jti: &str) -> Self {
        let mut own = Claims::default();
        own.set("token_type", K::TYPE);
        own.set_moment("exp", exp);
        own.set_moment("iat", iat);
        own.set("jti", jti);
        for (name, value) in claims.0 {
            if !OWN.contains(&name.as_str()) {
                own.0.insert(name, value);
            }
        }
        Self { claims: own, kind: PhantomData }
    }
}

/// Rows 7 and 8 of CONTRACT 6, for every kind alike.
///
/// # Errors
/// The first that is missing.
pub fn has_exp_and_id(claims: &Claims) -> Result<(), Reject> {
    if claims.get("exp").is_none() {
        return Err(Reject::NoExp);
    }
    if claims.get("jti").is_none() {
        return Err(Reject::NoId);
    }
    Ok(())
}

/// What every token of one sign-in shares.
pub struct Common {
    /// Name and value of the claim that names the user.
    pub user_claim: (String, Value),
    /// The session.
    pub sid: SessionId,
    /// The user's generation.
    pub generation: i32,
    /// `aud`, `iss`, `hash_password` as configured, and the custom claims.
    pub more: Map<String, Value>,
}

impl Common {
    fn claims(self) -> Claims {
        let mut claims = Claims::default();
        let (name, value) = self.user_claim;
        claims.0.insert(name, value);
        claims.0.extend(self.more);
        claims.set("sid", self.sid.to_string());
        claims.set("gen", self.generation);
        claims
    }
}

impl Token<Refresh> {
    /// The first refresh token of a session.
    pub fn first(common: Common, iat: Timestamp, exp: Timestamp) -> Result<Self> {
        Ok(Self::begin(common.claims(), iat, exp, &new_jti()?))
    }

    /// An access token with every claim of this token but its own four (CONTRACT 5).
    pub fn access(&self, iat: Timestamp, exp: Timestamp) -> Result<Token<Access>> {
        Ok(Token::begin(self.claims.clone(), iat, exp, &new_jti()?))
    }

    /// The same token with another id and other dates, as rotation makes it.
    pub fn successor(&self, jti: &str, iat: Timestamp, exp: Timestamp) -> Self {
        Self::begin(self.claims.clone(), iat, exp, jti)
    }

    /// The same token, in the session `sid`: for one made elsewhere, which names none.
    pub fn in_session(mut self, sid: SessionId) -> Self {
        self.claims.set("sid", sid.to_string());
        self
    }
}

/// A kind that travels by letter.
pub trait Mailed: Kind {}
impl Mailed for EmailVerification {}
impl Mailed for PasswordReset {}
impl Mailed for Invitation {}

impl<K: Mailed> Token<K> {
    /// A token for a letter, with these claims beside its own four.
    ///
    /// # Errors
    /// If the system has no random bytes.
    pub fn mailed(claims: Map<String, Value>, iat: Timestamp, exp: Timestamp) -> Result<Self> {
        Ok(Self::begin(Claims(claims), iat, exp, &new_jti()?))
    }
}

impl Token<Sliding> {
    /// The sliding token of a new session; `refresh_exp` is the end of its sliding.
    pub fn first(common: Common, iat: Timestamp, exp: Timestamp, refresh_exp: Timestamp) -> Result<Self> {
        let mut token = Self::begin(common.claims(), iat, exp, &new_jti()?);
        token.claims.set_moment("refresh_exp", refresh_exp);
        Ok(token)
    }

    /// The same token with later dates; everything else stays, its id too.
    pub fn slid(mut self, iat: Timestamp, exp: Timestamp) -> Self {
        self.claims.set_moment("exp", exp);
        self.claims.set_moment("iat", iat);
        self
    }
}

/// A new token's id: 32 lower-case hexadecimal digits, 128 random bits.
pub fn new_jti() -> Result<String> {
    let mut bytes = [0; 16];
    aws_lc_rs::rand::fill(&mut bytes).map_err(|_| Error::internal("the system has no random bytes"))?;
    Ok(hex::encode(bytes))
}

/// The custom claims of a sign-in, by `jwt.token_claims`. To add one of your own, add a variant to [`TokenClaim`] and its
/// arm here.
pub fn custom_claims(wanted: &[TokenClaim], user: &User, roles: &[String]) -> Map<String, Value> {
    let value = |claim: &TokenClaim| match claim {
        TokenClaim::Username => user.username.as_str().into(),
        TokenClaim::Email => user.email.as_str().into(),
        TokenClaim::FirstName => user.first_name.as_str().into(),
        TokenClaim::LastName => user.last_name.as_str().into(),
        TokenClaim::IsStaff => user.is_staff.into(),
        TokenClaim::IsSuperuser => user.is_superuser.into(),
        TokenClaim::IsPremium => user.is_premium.into(),
        TokenClaim::Roles => roles.into(),
        TokenClaim::UserRole => roles.first().map_or("user", String::as_str).into(),
    };
    wanted.iter().map(|claim| (claim.name().to_owned(), value(claim))).collect()
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use serde_json::json;

    fn claims(value: Value) -> Claims {
        Claims::new(value.as_object().unwrap().clone())
    }

    #[test]
    fn only_the_plain_form_of_a_number_names_a_user() {
        let cases = [
            (json!("7"), Subject::User(7)),
            (json!(7), Subject::User(7)),
            (json!("-1"), Subject::User(-1)),
            (json!("007"), Subject::Unknown),
            (json!("+7"), Subject::Unknown),
            (json!(" 7"), Subject::Unknown),
            (json!(7.0), Subject::Unknown),
            (json!("9223372036854775808"), Subject::Unknown),
            (json!(true), Subject::Unknown),
            (json!([7]), Subject::Unknown),
            (json!(""), Subject::Nobody),
            (json!(0), Subject::Nobody),
            (json!(null), Subject::Nobody),
            (json!(false), Subject::Nobody),
        ];
        for (value, expected) in cases {
            assert_eq!(claims(json!({ "user_id": value.clone() })).user("user_id"), expected, "{value}");
        }
        assert_eq!(claims(json!({})).user("user_id"), Subject::Missing);
    }

    #[test]
    fn a_numeric_date_may_have_a_fraction_but_no_other_form() {
        let moment = |text: &str| claims(serde_json::from_str(&format!("{{\"exp\":{text}}}")).unwrap()).moment("exp");
        assert_eq!(moment("1.5"), Some(Timestamp::from_micros(1_500_000)));
        assert_eq!(moment("-1"), Some(Timestamp::from_seconds(-1)));
        for text in ["\"1\"", "null", "[1]", "1e400", "1e26", "253402300800", "true"] {
            assert_eq!(moment(text), None, "{text}");
        }
    }

    #[test]
    fn an_access_token_hands_on_every_claim_but_its_own_four() {
        let refresh = Token::<Refresh>::from_verified(claims(json!({
            "token_type": "refresh", "exp": 9, "iat": 1, "jti": "a", "user_id": 7, "color": ["red"], "sid": "s"
        })));
        let at = Timestamp::from_seconds(100);
        let access = refresh.unwrap().access(at, at + Duration::from_secs(300)).unwrap();
        let got = access.claims();
        assert_eq!(got.get("color"), Some(&json!(["red"])));
        assert_eq!(got.get("user_id"), Some(&json!(7)));
        assert_eq!((got.moment("iat"), got.moment("exp")), (Some(at), Some(Timestamp::from_seconds(400))));
        assert_ne!(got.jti(), Some("a"));
        assert_eq!(got.text("token_type"), Some("access"));
    }

    #[test]
    fn a_token_of_one_kind_is_no_token_of_another() {
        for kind in ["access", "refresh", "sliding", "email_verification", "Password_reset", ""] {
            let of_kind = claims(json!({ "token_type": kind, "exp": 9, "jti": "a" }));
            assert!(matches!(Token::<PasswordReset>::from_verified(of_kind), Err(Reject::WrongType)));
        }
    }
}
