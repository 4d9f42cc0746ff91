//! Tables in the documentation that a command makes.
//!
//! Such a table stands between `<!-- NAME, made by COMMAND -->` and `<!-- end -->`; the rest of the page is written by hand.

use std::fs;

use anyhow::{Context, Result, ensure};

use crate::shell::root;

const END: &str = "<!-- end -->";

/// A table in a page of `docs/`.
pub struct Table {
    /// The page's file name.
    pub page: &'static str,
    /// What the table is called in its first line.
    pub name: &'static str,
    /// The command that makes it.
    pub command: &'static str,
}

impl Table {
    /// Replaces the table.
    pub fn write(&self, table: &str) -> Result<()> {
        let page = self.with(&self.read()?, table)?;
        fs::write(self.path(), page).with_context(|| format!("writing docs/{}", self.page))
    }

    /// Fails if the page has another table.
    pub fn check(&self, table: &str) -> Result<()> {
        let page = self.read()?;
        let fresh = self.with(&page, table)? == page;
        ensure!(fresh, "docs/{}, {}, is not fresh: type `{}`", self.page, self.name, self.command);
        Ok(())
    }

    fn path(&self) -> std::path::PathBuf {
        root().join("docs").join(self.page)
    }

    fn read(&self) -> Result<String> {
        fs::read_to_string(self.path()).with_context(|| format!("reading docs/{}", self.page))
    }

    fn with(&self, page: &str, table: &str) -> Result<String> {
        let begin = format!("<!-- {}, made by `{}` -->", self.name, self.command);
        let marked = page.split_once(&begin).and_then(|(before, rest)| Some((before, rest.split_once(END)?.1)));
        let (before, after) =
            marked.with_context(|| format!("docs/{} lacks the lines {begin} and {END}", self.page))?;
        Ok(format!("{before}{begin}\n{}\n{END}{after}", table.trim_end()))
    }
}

#[cfg(test)]
mod tests {
    use super::Table;

    #[test]
    fn the_table_is_replaced_and_nothing_else() {
        let table = Table { page: "page.md", name: "all", command: "make" };
        let page = "before\n<!-- all, made by `make` -->\nold\n<!-- end -->\nafter\n<!-- end -->\n";
        let made = table.with(page, "new").unwrap();
        assert_eq!(made, "before\n<!-- all, made by `make` -->\nnew\n<!-- end -->\nafter\n<!-- end -->\n");
        assert_eq!(table.with(&made, "new").unwrap(), made);
        assert!(table.with("no table", "new").is_err());
    }
}
