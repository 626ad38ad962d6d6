//! The documents say what is: every test that `docs/cases.md` names exists.

use std::path::{Path, PathBuf};

use anyhow::{Context, ensure};

#[test]
fn every_test_named_in_the_cases_exists() -> anyhow::Result<()> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let cases = std::fs::read_to_string(root.join("docs/cases.md"))?;
    let mut named = 0;
    for row in cases
        .lines()
        .filter(|line| line.starts_with("| ") && line.contains('`'))
    {
        let shown_by = row.rsplit('|').nth(1).context("a row has three cells")?;
        for pair in shown_by.split("<br>") {
            let mut words = pair.split('`').skip(1).step_by(2);
            let crate_name = words
                .next()
                .with_context(|| format!("no crate in {pair:?}"))?;
            let test = words
                .next()
                .with_context(|| format!("no test in {pair:?}"))?;
            ensure!(
                defines(&root.join("crates").join(crate_name), test)?,
                "{crate_name} has no test {test}"
            );
            named += 1;
        }
    }
    ensure!(
        named > 50,
        "only {named} tests are named: the table has another form"
    );
    Ok(())
}

fn defines(folder: &Path, test: &str) -> anyhow::Result<bool> {
    for file in rust_files(folder)? {
        if std::fs::read_to_string(file)?.contains(&format!("fn {test}(")) {
            return Ok(true);
        }
    }
    Ok(false)
}

fn rust_files(folder: &Path) -> anyhow::Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    for entry in std::fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() {
            files.extend(rust_files(&path)?);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            files.push(path);
        }
    }
    Ok(files)
}
