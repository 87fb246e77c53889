//! Relative links of all pages lead somewhere inside the repository.

use std::path::{Component, Path, PathBuf};

use anyhow::{Context, Result};

use super::files;

/// Pages at the root that must be there.
const PAGES: &[&str] = &["README.md", "ARCHITECTURE.md", "CONTRIBUTING.md", "CHANGELOG.md"];

pub(super) fn check(root: &Path, faults: &mut Vec<String>) -> Result<()> {
    let mut pages: Vec<PathBuf> = PAGES.iter().map(PathBuf::from).collect();
    for folder in super::FOLDERS.iter().chain(&["docs", "deploy"]) {
        let is_page = |path: &PathBuf| path.extension().is_some_and(|extension| extension == "md");
        pages.extend(files(root, folder)?.into_iter().filter(is_page));
    }
    for page in pages {
        let text = std::fs::read_to_string(root.join(&page))
            .with_context(|| format!("{} is missing", page.display()))?;
        for link in dead_links(&page, &text, |path| root.join(path).exists()) {
            faults.push(format!("{}: the link to {link} leads nowhere", page.display()));
        }
    }
    Ok(())
}

/// Links of a page that lead to no file; `page` and the paths asked for start at the root.
fn dead_links<'t>(page: &Path, text: &'t str, exists: impl Fn(&Path) -> bool) -> Vec<&'t str> {
    let folder = page.parent().unwrap_or(Path::new(""));
    let mut links = links(text);
    links.retain(|link| {
        let target = link.split('#').next().unwrap_or_default();
        let elsewhere = target.contains("://") || target.starts_with("mailto:");
        !target.is_empty() && !elsewhere && !target_of(folder, target).is_some_and(|p| exists(&p))
    });
    links
}

/// The path that a link means, from the root; none if it leaves the repository.
fn target_of(folder: &Path, target: &str) -> Option<PathBuf> {
    let mut path = folder.to_path_buf();
    for part in Path::new(target).components() {
        match part {
            Component::Normal(name) => path.push(name),
            Component::CurDir => {}
            Component::ParentDir => {
                if !path.pop() {
                    return None;
                }
            }
            Component::RootDir | Component::Prefix(_) => return None,
        }
    }
    Some(path)
}

/// Targets of `[words](target)` and `[name]: target` outside of fenced code.
fn links(text: &str) -> Vec<&str> {
    let mut found = Vec::new();
    let mut fenced = false;
    for line in text.lines() {
        if line.trim_start().starts_with("```") {
            fenced = !fenced;
        }
        if fenced {
            continue;
        }
        found.extend(line.split("](").skip(1).filter_map(|rest| rest.split([')', ' ']).next()));
        if line.starts_with('[')
            && let Some((_, target)) = line.split_once("]: ")
        {
            found.extend(target.split_whitespace().next());
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    fn dead<'t>(page: &str, text: &'t str) -> Vec<&'t str> {
        let there = ["README.md", "docs", "docs/a.md", "docs/reference/b.md"];
        dead_links(Path::new(page), text, |path| there.iter().any(|p| path == Path::new(p)))
    }

    #[test]
    fn links_are_relative_to_their_page() {
        for (page, link) in [
            ("README.md", "docs/a.md"),
            ("README.md", "docs"),
            ("docs/a.md", "reference/b.md#part"),
            ("docs/reference/b.md", "../a.md"),
            ("docs/reference/b.md", "../../README.md"),
            ("docs/a.md", "#part"),
            ("docs/a.md", "https://example.org/a.md"),
        ] {
            assert_eq!(dead(page, &format!("See [it]({link}).")), [""; 0], "{page} {link}");
        }
        for (page, link) in [
            ("README.md", "a.md"),
            ("docs/a.md", "docs/a.md"),
            ("docs/a.md", "c.md#part"),
            ("docs/a.md", "../../README.md"),
            ("docs/a.md", "/README.md"),
        ] {
            assert_eq!(dead(page, &format!("See [it]({link}).")), [link], "{page} {link}");
        }
    }

    #[test]
    fn all_ways_to_write_a_link_are_seen() {
        let text = "[a](one) and [b](two \"title\")\n[c]: three\n```\n[d](four)\n```\n[e](five)";
        assert_eq!(links(text), ["one", "two", "three", "five"]);
    }
}
