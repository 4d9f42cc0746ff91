//! The pages in `docs/` as a book.

use anyhow::{Context, Result};

use crate::shell::{command, root, run, target, works};

/// The release of mdBook that the book is made for.
const MDBOOK: &str = "0.4";

/// Installs mdBook where it is missing and builds the book.
pub fn build() -> Result<()> {
    if !works("mdbook", &["--version"])? {
        let install = ["install", "mdbook", "--locked", "--version", MDBOOK];
        run(&mut command("cargo", &install)).with_context(|| format!("type `cargo {}`", install.join(" ")))?;
    }
    let (pages, out) = (root().join("docs").display().to_string(), target().join("book").display().to_string());
    run(&mut command("mdbook", &["build", &pages, "--dest-dir", &out]))?;
    println!("{out}/index.html");
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::path::{Path, PathBuf};

    use crate::shell::root;

    /// All Markdown files that people read.
    fn pages(folder: &Path, found: &mut Vec<PathBuf>) {
        for entry in fs::read_dir(folder).unwrap().map(Result::unwrap) {
            let (path, name) = (entry.path(), entry.file_name().into_string().unwrap_or_default());
            // Build directories, and folders of tools.
            if name.starts_with('.') || name == "target" || name == "node_modules" {
                continue;
            }
            if entry.file_type().unwrap().is_dir() {
                pages(&path, found);
            } else if name.ends_with(".md") {
                found.push(path);
            }
        }
    }

    #[test]
    fn every_link_within_the_project_leads_somewhere() {
        let mut found = Vec::new();
        pages(root(), &mut found);
        assert!(found.len() > 15);
        for page in found {
            let text = fs::read_to_string(&page).unwrap();
            // What stands between `](` and `)`; code has no such thing here.
            for link in text.split("](").skip(1).filter_map(|rest| rest.split(')').next()) {
                let file = link.split('#').next().unwrap_or_default();
                // Links lead to a project itself, not to a registry that has a copy of it.
                let registries = ["crates", "pypi", "npmjs"].map(|name| format!("{name}."));
                assert!(!registries.iter().any(|name| link.contains(name)), "{}: {link}", page.display());
                let is_outside = file.is_empty() || file.contains("://") || file.starts_with("mailto:");
                // What it stands in may be code: a file name has no spaces and quotes.
                if !is_outside && !file.contains([' ', '"', '(']) {
                    let target = page.parent().unwrap().join(file);
                    assert!(target.exists(), "{}: the link {link} leads nowhere", page.display());
                }
            }
        }
    }

    #[test]
    fn every_page_is_in_the_book() {
        let summary = fs::read_to_string(root().join("docs/SUMMARY.md")).unwrap();
        for entry in fs::read_dir(root().join("docs")).unwrap() {
            let name = entry.unwrap().file_name().into_string().unwrap();
            if name.ends_with(".md") && name != "SUMMARY.md" {
                assert!(summary.contains(&format!("({name})")), "docs/SUMMARY.md leaves {name} out");
            }
        }
    }
}
