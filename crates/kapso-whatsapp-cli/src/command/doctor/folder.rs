//! The state directory: it can be written, and only its owner can look into it.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use config::State;

use super::check::Check;

const WHAT: &str = "state";

/// Looks at the folder and the secret files in it.
pub(super) fn check(state: &State) -> Vec<Check> {
    let dir = &state.dir;
    if !dir.exists() {
        return vec![missing(dir)];
    }
    if let Err(error) = writable(dir) {
        let remedy = format!("make {} a folder that this user can write", dir.display());
        return vec![Check::wrong(WHAT, format!("{}: {error}", dir.display()), remedy).failed()];
    }
    let secrets = [
        state.device_key(),
        state.device_token(),
        dir.join("state.db"),
    ];
    let open: Vec<Check> = std::iter::once((dir.clone(), "700"))
        .chain(secrets.into_iter().map(|file| (file, "600")))
        .filter(|(path, _)| open_to_others(path))
        .map(|(path, mode)| {
            let path = path.display();
            Check::wrong(
                WHAT,
                format!("other users can read {path}"),
                format!("chmod {mode} {path}"),
            )
        })
        .collect();
    if open.is_empty() {
        vec![Check::ok(WHAT, dir.display().to_string())]
    } else {
        open
    }
}

/// A folder that does not exist is made at the first start, if the one above allows it.
fn missing(dir: &Path) -> Check {
    let above = dir.ancestors().skip(1).find(|above| above.exists());
    let made = above.map(|above| (above, writable(above)));
    match made {
        Some((_, Ok(()))) => Check::ok(WHAT, format!("{} will be made", dir.display())),
        Some((above, Err(error))) => {
            let seen = format!(
                "{} cannot be made: {}: {error}",
                dir.display(),
                above.display()
            );
            Check::wrong(
                WHAT,
                seen,
                "make it and give it to this user, or correct state.dir",
            )
            .failed()
        }
        None => {
            let seen = format!("{} cannot be made", dir.display());
            Check::wrong(WHAT, seen, "correct state.dir").failed()
        }
    }
}

/// Whether a file can be made there: rights alone do not say, on a full or read-only disk.
fn writable(dir: &Path) -> std::io::Result<()> {
    tempfile::Builder::new()
        .prefix(".doctor-")
        .tempfile_in(dir)
        .map(drop)
}

fn open_to_others(path: &Path) -> bool {
    fs::metadata(path).is_ok_and(|meta| meta.permissions().mode() & 0o077 != 0)
}
