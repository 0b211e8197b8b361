//! Writes `tests/vectors/*.json` below a folder.

use std::path::PathBuf;

use anyhow::Context;

fn main() -> anyhow::Result<()> {
    let root = std::env::args_os()
        .nth(1)
        .map(PathBuf::from)
        .context("usage: vectors <folder>")?;
    let folder = root.join("tests/vectors");
    std::fs::create_dir_all(&folder).with_context(|| folder.display().to_string())?;
    for (name, text) in vettid_tests::vectors::all() {
        std::fs::write(folder.join(name), text).with_context(|| name.to_owned())?;
    }
    Ok(())
}
