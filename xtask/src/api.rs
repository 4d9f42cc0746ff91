//! The public interface of the published crates as lists in `docs/api/`, so that no change of it goes unseen.
//!
//! They are read from rustdoc's pages: every declaration, what is implemented for it, and the methods.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result, bail};
use clap::Args;

use crate::shell::{cargo, root, run, target};

/// The libraries, by the names that programs use. The core is listed without what is public for the compiler alone.
const CRATES: [&str; 5] = ["thumbnet", "thumbnet_protocol", "thumbnet_dataset", "thumbnet_compiler", "thumbnet_device"];
/// What a method's line begins with.
const HEADER: &str = "<h4 class=\"code-header\">";

/// Options of `cargo xtask api`.
#[derive(Args, Default)]
pub struct Api {
    /// Write what there is now
    #[arg(long)]
    bless: bool,
}

impl Api {
    /// Documents the crates and compares.
    pub fn run(&self) -> Result<()> {
        let packages = CRATES.map(|name| name.replace('_', "-"));
        let mut document = cargo(&["doc", "--release", "--no-deps"]);
        run(document.args(packages.iter().flat_map(|name| ["--package", name])))?;
        self.compare()
    }

    /// Compares the lists with the pages of the workspace, which are there.
    pub fn compare(&self) -> Result<()> {
        let alone = target().join("api");
        run(cargo(&["doc", "--quiet", "--release", "--package", "thumbnet", "--no-deps"])
            .env("CARGO_TARGET_DIR", &alone))?;
        for name in CRATES {
            let built = if name == "thumbnet" { alone.clone() } else { target() };
            let pages = built.join("doc").join(name);
            let found = listing(name, &pages)?;
            let path = root().join("docs/api").join(name).with_extension("txt");
            if self.bless {
                fs::create_dir_all(root().join("docs/api"))?;
                fs::write(&path, &found)?;
                continue;
            }
            let committed = fs::read_to_string(&path).with_context(|| format!("reading {}", path.display()))?;
            let news = found.lines().filter(|line| !committed.lines().any(|other| other == *line));
            let gone = committed.lines().filter(|line| !found.lines().any(|other| other == *line));
            let changes: Vec<String> =
                gone.map(|line| format!("- {line}")).chain(news.map(|line| format!("+ {line}"))).collect();
            if !changes.is_empty() {
                bail!(
                    "the public interface of {name} is not as committed:\n{}\nif that is meant: `cargo xtask api --bless`, and a line in CHANGELOG.md",
                    changes.join("\n")
                );
            }
        }
        Ok(())
    }
}

/// The public items of a crate, one a line.
fn listing(name: &str, pages: &Path) -> Result<String> {
    let read = |page: &str| {
        let path = pages.join(page);
        fs::read_to_string(&path).with_context(|| format!("reading {}", path.display()))
    };
    let mut lines = Vec::new();
    for item in read("all.html")?.split("<li><a href=\"").skip(1) {
        // The list of kinds beside it leads into the same page.
        let Some((page, rest)) = item.split_once("\">").filter(|(page, _)| page.ends_with(".html")) else { continue };
        let path = format!("{name}::{}", rest.split("</a>").next().unwrap_or_default());
        let html = read(page)?;
        let declaration = between(&html, "<pre class=\"rust item-decl\"><code>", "</code></pre>").unwrap_or_default();
        lines.push(format!("{path}: {}", plain(declaration)));
        // What comes behind is implemented by rustc, for every type.
        let own = html.split("id=\"synthetic-implementations\"").next().unwrap_or_default();
        for section in own.split("<section id=\"").skip(1) {
            let Some((id, rest)) = section.split_once("\" class=\"") else { continue };
            let class = rest.split('"').next().unwrap_or_default();
            let Some(header) =
                between(section, HEADER, "</h4>").or_else(|| between(section, "<h3 class=\"code-header\">", "</h3>"))
            else {
                continue;
            };
            let is_impl = class == "impl" && id.contains("-for-");
            if is_impl || class == "method" || class == "associatedconstant" {
                lines.push(format!("{path}: {}", plain(header)));
            }
        }
    }
    lines.sort();
    lines.dedup();
    Ok(lines.join("\n") + "\n")
}

/// The first text between two others.
fn between<'t>(text: &'t str, start: &str, end: &str) -> Option<&'t str> {
    text.split_once(start)?.1.split_once(end).map(|(inside, _)| inside)
}

/// What a reader sees of a piece of a page, in one line.
fn plain(html: &str) -> String {
    let mut text = String::new();
    let mut rest = html;
    while let Some((before, tag)) = rest.split_once('<') {
        text.push_str(before);
        let Some((tag, behind)) = tag.split_once('>') else { break };
        // The button that unfolds a long declaration.
        rest = match tag.starts_with("summary") {
            true => behind.split_once("</summary>").map_or("", |(_, behind)| behind),
            false => behind,
        };
    }
    text.push_str(rest);
    let text = [("&lt;", "<"), ("&gt;", ">"), ("&quot;", "\""), ("&#39;", "'"), ("&nbsp;", " "), ("&amp;", "&")]
        .iter()
        .fold(text, |text, (entity, sign)| text.replace(entity, sign));
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::plain;

    #[test]
    fn a_declaration_is_one_line_without_tags_and_buttons() {
        let html = "pub struct <a href=\"x\">A</a>&lt;&#39;m&gt; {<details><summary>Show 2 fields</summary>\n  x: u8,\n</details>}";
        assert_eq!(plain(html), "pub struct A<'m> { x: u8, }");
    }
}
