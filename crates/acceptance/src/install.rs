//! Gets OpenClaw releases, and the Node that runs them, from the npm registry into a folder that git ignores.
//!
//! What is there is not asked for again. An installation is made aside and moved into place when it is complete, so
//! that an interrupted one is never taken for a whole one. A registry that cannot be reached is an error.

use std::env;
use std::ffi::OsString;
use std::path::{Path, PathBuf};

use anyhow::{Context, bail};
use serde_json::{Value, json};
use tokio::fs;
use tokio::process::Command;

use crate::release::Release;

/// The Node that all releases run on; 2026.9.5 and newer need 24.16 or newer.
const NODE: &str = "24";

/// The version of `linkedom` that older releases are held to.
const LINKEDOM: &str = "0.18.12";

/// The folder of installations: `$OPENCLAW_CACHE`, else `.cache/openclaw` in the working directory.
#[derive(Debug, Clone)]
pub struct Cache {
    root: PathBuf,
}

/// An installed release.
#[derive(Debug, Clone)]
pub struct Installed {
    /// The Node to run it with.
    pub node: PathBuf,
    /// The release's entry point.
    pub program: PathBuf,
}

impl Cache {
    /// The folder that the environment names.
    ///
    /// # Errors
    /// When there is no working directory.
    pub fn from_environment() -> anyhow::Result<Self> {
        let root = match env::var_os("OPENCLAW_CACHE").filter(|path| !path.is_empty()) {
            Some(path) => PathBuf::from(path),
            None => PathBuf::from(".cache/openclaw"),
        };
        let root = std::path::absolute(root).context("no working directory")?;
        Ok(Self { root })
    }

    /// A release, installed if it is not there yet; `progress` is told about what takes long.
    ///
    /// # Errors
    /// When npm is missing, the registry cannot be reached, or the release does not exist.
    pub async fn install(
        &self,
        release: &Release,
        progress: impl Fn(&str),
    ) -> anyhow::Result<Installed> {
        let node = self.root.join("node/node_modules/node/bin/node");
        if !node.exists() {
            progress(&format!("installing node {NODE} from the npm registry"));
            let manifest = json!({ "private": true, "dependencies": { "node": NODE } });
            self.npm("node", &manifest, None).await?;
        }
        let name = release.to_string();
        let package = self.root.join(&name).join("node_modules/openclaw");
        if installed_version(&package).await.as_deref() != Some(name.as_str()) {
            progress(&format!(
                "installing openclaw {name} from the npm registry (about 650 MB)"
            ));
            self.npm(&name, &manifest(release), node.parent()).await?;
        }
        let version = installed_version(&package).await;
        if version.as_deref() != Some(name.as_str()) {
            bail!("npm installed openclaw {version:?} instead of {name}");
        }
        Ok(Installed {
            node,
            program: package.join("openclaw.mjs"),
        })
    }

    /// Runs `npm install` for `manifest` and puts the result under `name`. `node` comes first on the PATH, because
    /// the package checks the version that installs it.
    async fn npm(&self, name: &str, manifest: &Value, node: Option<&Path>) -> anyhow::Result<()> {
        let aside = self
            .root
            .join(format!(".installing-{name}-{}", std::process::id()));
        let place = self.root.join(name);
        fs::create_dir_all(&aside)
            .await
            .with_context(|| format!("{} cannot be made", aside.display()))?;
        fs::write(aside.join("package.json"), manifest.to_string()).await?;
        let log = aside.join("install.log");
        let out = std::fs::File::create(&log)?;
        let err = out.try_clone()?;
        let status = Command::new("npm")
            .args(["install", "--no-audit", "--no-fund"])
            .current_dir(&aside)
            .env("PATH", path_with(node)?)
            .stdin(std::process::Stdio::null())
            .stdout(out)
            .stderr(err)
            .kill_on_drop(true)
            .status()
            .await
            .context("npm cannot be started")?;
        if !status.success() {
            let tail = crate::process::tail(&log, 15)?;
            fs::remove_dir_all(&aside).await?;
            bail!("npm could not install {name} ({status}):\n{tail}");
        }
        if place.exists() {
            fs::remove_dir_all(&place).await?;
        }
        fs::rename(&aside, &place)
            .await
            .with_context(|| format!("{} cannot be moved into place", aside.display()))
    }
}

fn manifest(release: &Release) -> Value {
    let mut manifest =
        json!({ "private": true, "dependencies": { "openclaw": release.to_string() } });
    if release.holds_linkedom_back() {
        manifest["overrides"] = json!({ "linkedom": LINKEDOM });
    }
    manifest
}

/// The version of the package in that folder; none when it is not there.
async fn installed_version(package: &Path) -> Option<String> {
    let text = fs::read(package.join("package.json")).await.ok()?;
    let manifest: Value = serde_json::from_slice(&text).ok()?;
    Some(manifest.get("version")?.as_str()?.to_owned())
}

/// Our PATH, with `first` before everything else.
pub(crate) fn path_with(first: Option<&Path>) -> anyhow::Result<OsString> {
    let path = env::var_os("PATH").unwrap_or_default();
    let all = first
        .map(Path::to_owned)
        .into_iter()
        .chain(env::split_paths(&path));
    env::join_paths(all).context("a folder on the PATH has a colon in its name")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_old_releases_are_held_to_a_linkedom() {
        let overrides = |name: &str| manifest(&name.parse().unwrap()).get("overrides").cloned();
        assert_eq!(overrides("2026.5.7"), Some(json!({ "linkedom": LINKEDOM })));
        assert_eq!(overrides("2026.9.6"), None);
    }
}
