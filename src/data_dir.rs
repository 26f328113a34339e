//! The data folder: made for its owner alone, held by one server at a time, and the secrets kept in it.

use std::fs::{self, DirBuilder, File, OpenOptions, Permissions, TryLockError};
use std::io::{ErrorKind, Read, Seek, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use anyhow::{Context, bail};
use zeroize::Zeroizing;

const OWNER_ONLY: u32 = 0o600;

/// A data folder that is there and ours.
#[derive(Clone, Debug)]
pub struct DataDir(PathBuf);

/// Held while a server runs; the operating system lets go of it even if the server is killed.
#[derive(Debug)]
pub struct ServerLock {
    _held: File,
}

impl DataDir {
    /// Makes the folder if it is missing, and takes everybody else's rights to it away, whatever the umask.
    ///
    /// # Errors
    /// If it cannot be made or is not ours to change.
    pub fn open(path: &Path) -> anyhow::Result<Self> {
        let made = DirBuilder::new().recursive(true).mode(0o700).create(path);
        made.with_context(|| format!("cannot make the data folder {}", path.display()))?;
        fs::set_permissions(path, Permissions::from_mode(0o700))
            .with_context(|| format!("the data folder {} is not writable by this user", path.display()))?;
        Ok(Self(path.to_owned()))
    }

    /// The path of a file in the folder.
    pub fn join(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }

    /// Takes the folder for a server that starts.
    ///
    /// # Errors
    /// If another server holds it; the message names that one.
    pub fn lock(&self) -> anyhow::Result<ServerLock> {
        let path = self.join("lock");
        let mut file = open_private(&path)?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                let mut holder = String::new();
                file.read_to_string(&mut holder).context("cannot read who holds the data folder")?;
                bail!("another server ({}) already uses the data folder {}", holder.trim(), self.0.display());
            }
            Err(TryLockError::Error(error)) => return Err(error).context("cannot lock the data folder"),
        }
        file.set_len(0).and_then(|()| file.rewind()).context("cannot write the data folder's lock")?;
        writeln!(file, "process {}", std::process::id()).context("cannot write the data folder's lock")?;
        Ok(ServerLock { _held: file })
    }

    /// Whether a server holds the folder at present.
    ///
    /// # Errors
    /// If that cannot be found out.
    pub fn is_served(&self) -> anyhow::Result<bool> {
        match open_private(&self.join("lock"))?.try_lock() {
            Ok(()) => Ok(false), // let go of when the file is closed, here
            Err(TryLockError::WouldBlock) => Ok(true),
            Err(TryLockError::Error(error)) => Err(error).context("cannot look at the data folder's lock"),
        }
    }

    /// Makes an empty file that only its owner can read, unless there is one: SQLite gives its own files the same rights.
    ///
    /// # Errors
    /// The system's.
    pub fn touch_private(path: &Path) -> anyhow::Result<()> {
        open_private(path).map(drop)
    }

    /// The text of a secret file; `None` if there is no such file. Others' rights to it are taken away, with a warning.
    ///
    /// # Errors
    /// The system's.
    pub fn secret(&self, name: &str) -> anyhow::Result<Option<Zeroizing<String>>> {
        let path = self.join(name);
        let mut file = match File::open(&path) {
            Ok(file) => file,
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(error).with_context(|| format!("cannot read {}", path.display())),
        };
        if let Some(mode) = open_to_others(&file)? {
            log::warn!("{} could be read by others (mode {mode:o}); it is closed to them now", path.display());
            fs::set_permissions(&path, Permissions::from_mode(OWNER_ONLY))?;
        }
        let mut text = Zeroizing::new(String::new());
        file.read_to_string(&mut text).with_context(|| format!("cannot read {}", path.display()))?;
        Ok(Some(text))
    }

    /// Writes a secret file, on the disk before this returns: it is there whole or not at all.
    ///
    /// # Errors
    /// The system's; a file of that name that is there already stays.
    pub fn keep_secret(&self, name: &str, text: &str) -> anyhow::Result<()> {
        let (path, draft) = (self.join(name), self.join(&format!("{name}.new")));
        let write = || -> std::io::Result<()> {
            let mut file = OpenOptions::new().write(true).create(true).truncate(true).mode(OWNER_ONLY).open(&draft)?;
            file.set_permissions(Permissions::from_mode(OWNER_ONLY))?;
            file.write_all(text.as_bytes())?;
            file.sync_all()?;
            fs::hard_link(&draft, &path)?; // fails if the name is taken, unlike a rename
            fs::remove_file(&draft)?;
            File::open(&self.0)?.sync_all()
        };
        write().with_context(|| format!("cannot write {}", path.display()))
    }
}

/// The rights of a file that others than its owner have any to.
fn open_to_others(file: &File) -> std::io::Result<Option<u32>> {
    let mode = file.metadata()?.permissions().mode() & 0o777;
    Ok((mode & 0o077 != 0).then_some(mode))
}

/// The text of a secret that is kept elsewhere. Its rights are its owner's affair; that others have some is said in the log.
///
/// # Errors
/// The system's.
pub fn secret_elsewhere(path: &Path) -> anyhow::Result<Zeroizing<String>> {
    let read = || -> std::io::Result<_> {
        let mut file = File::open(path)?;
        if let Some(mode) = open_to_others(&file)? {
            log::warn!("{} can be read by others (mode {mode:o}): chmod 600 is enough for this server", path.display());
        }
        let mut text = Zeroizing::new(String::new());
        file.read_to_string(&mut text)?;
        Ok(text)
    };
    read().with_context(|| format!("cannot read {}", path.display()))
}

fn open_private(path: &Path) -> anyhow::Result<File> {
    let mut options = OpenOptions::new();
    options.read(true).write(true).create(true).truncate(false).mode(OWNER_ONLY);
    options.open(path).with_context(|| format!("cannot open {}", path.display()))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn mode(path: &Path) -> u32 {
        fs::metadata(path).unwrap().permissions().mode() & 0o777
    }

    #[test]
    fn the_folder_and_its_secrets_are_their_owners_alone() {
        let place = tempfile::tempdir().unwrap();
        let folder = DataDir::open(&place.path().join("a/b")).unwrap();
        folder.keep_secret("key", "one").unwrap();
        assert_eq!(mode(&place.path().join("a/b")), 0o700);
        assert_eq!(mode(&folder.join("key")), 0o600);
        assert_eq!(folder.secret("key").unwrap().unwrap().as_str(), "one");
    }

    #[test]
    fn a_secret_is_never_overwritten_and_never_left_open() {
        let place = tempfile::tempdir().unwrap();
        let folder = DataDir::open(place.path()).unwrap();
        folder.keep_secret("key", "one").unwrap();
        assert!(folder.keep_secret("key", "two").is_err());
        fs::set_permissions(folder.join("key"), Permissions::from_mode(0o644)).unwrap();
        assert_eq!(folder.secret("key").unwrap().unwrap().as_str(), "one");
        assert_eq!(mode(&folder.join("key")), 0o600);
    }

    #[test]
    fn one_server_holds_the_folder_and_a_second_is_told_who() {
        let place = tempfile::tempdir().unwrap();
        let folder = DataDir::open(place.path()).unwrap();
        assert!(!folder.is_served().unwrap());
        let lock = folder.lock().unwrap();
        assert!(folder.is_served().unwrap());
        let refusal = folder.lock().unwrap_err().to_string();
        assert!(refusal.contains(&format!("process {}", std::process::id())), "{refusal}");
        drop(lock);
        assert!(!folder.is_served().unwrap());
    }
}
