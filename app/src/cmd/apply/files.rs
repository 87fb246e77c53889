//! The texts of several files as one, and the way back from its lines to theirs.

use std::io::{ErrorKind, Read};
use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use super::is_stdin;
use crate::exit::{Exit, Failure};
use crate::settings::lines;

/// Bytes of one file: a backup may be large, what is applied the server bounds.
const MOST: u64 = 1 << 30;

/// All files, one document stream.
#[derive(Debug, Default)]
pub(super) struct Text {
    pub(super) text: String,
    /// Where each file begins: number of lines before it, its name, and its first byte.
    parts: Vec<(u64, String, usize)>,
}

/// Reads files, directories and stdin. A lone file is sent as it is.
pub(super) fn read(paths: &[PathBuf]) -> Result<Text, Failure> {
    let mut all = Text::default();
    for path in paths {
        if is_stdin(path) {
            all.add("-", &stdin()?);
            continue;
        }
        for file in files(path)? {
            let opened = std::fs::File::open(&file).map_err(|error| unreadable(&file, error))?;
            let text = whole(opened).map_err(|error| unreadable(&file, error))?;
            all.add(&file.display().to_string(), &text);
        }
    }
    Ok(all)
}

impl Text {
    fn add(&mut self, name: &str, text: &str) {
        // some editors begin a file with a byte order mark, which has no place between others
        let text = text.strip_prefix('\u{FEFF}').unwrap_or(text);
        if !self.text.is_empty() {
            self.text.push_str("---\n");
        }
        let before = self.text.bytes().filter(|byte| *byte == b'\n').count() as u64;
        self.parts.push((before, name.to_owned(), self.text.len()));
        self.text.push_str(text);
        if !text.ends_with('\n') {
            self.text.push('\n');
        }
    }

    /// Whether there is no object in it: nothing but comments and lines between documents. What
    /// cannot be read may hold some.
    pub(super) fn is_empty(&self) -> bool {
        let documents = config::objects::from_text(&self.text, None);
        documents.is_ok_and(|documents| documents.iter().all(|one| one.root.is_null()))
    }

    /// Faults and warnings of the server's answer get the file and the line in it.
    pub(super) fn locate(&self, answer: &mut Value) {
        for list in ["errors", "warnings"] {
            answer.get_mut(list).into_iter().for_each(|list| self.locate_in(list));
        }
    }

    /// Which file is neither YAML nor JSON, and where.
    pub(super) fn malformed(&self) -> Option<Failure> {
        let ends = self.parts.iter().skip(1).map(|(.., start)| start - "---\n".len());
        let ends = ends.chain([self.text.len()]);
        let problem = self.parts.iter().zip(ends).find_map(|((_, name, start), end)| {
            let text = self.text.get(*start..end)?;
            config::yaml::parse_file(text, &name.as_str().into()).err()
        })?;
        Some(Failure::new(Exit::Invalid, lines(&[problem])))
    }

    fn locate_in(&self, list: &mut Value) {
        for error in list.as_array_mut().into_iter().flatten() {
            let Some(line) = error["line"].as_u64().filter(|line| *line > 0) else { continue };
            let found = self.parts.iter().rev().find(|(before, ..)| *before < line);
            if let Some((before, name, _)) = found {
                error["file"] = json!(name);
                error["line"] = json!(line - before);
            }
        }
    }
}

fn files(path: &Path) -> Result<Vec<PathBuf>, Failure> {
    let found = config::objects::files(path);
    found.map_err(|problem| Failure::new(Exit::Invalid, lines(&[problem])))
}

fn stdin() -> Result<String, Failure> {
    whole(std::io::stdin().lock()).map_err(|error| unreadable(Path::new("stdin"), error))
}

/// All of it, if it is not more than can be applied or restored.
fn whole(source: impl Read) -> std::io::Result<String> {
    let mut text = String::new();
    source.take(MOST + 1).read_to_string(&mut text)?;
    if text.len() as u64 > MOST {
        return Err(std::io::Error::new(ErrorKind::FileTooLarge, "it is larger than 1GiB"));
    }
    Ok(text)
}

fn unreadable(path: &Path, error: std::io::Error) -> Failure {
    Failure::new(Exit::Invalid, format!("{}: {error}", path.display()))
}

#[cfg(test)]
mod tests {
    use super::Text;
    use serde_json::json;

    #[test]
    fn lines_find_their_file() {
        let mut text = Text::default();
        text.add("a.yaml", "kind: Tenant\nname: a");
        text.add("b.json", "\u{FEFF}{\"kind\":\n\"Tenant\"}\n");
        text.add("c.yaml", "kind: x\n");
        assert_eq!(
            text.text,
            "kind: Tenant\nname: a\n---\n{\"kind\":\n\"Tenant\"}\n---\nkind: x\n"
        );
        let lines = [1, 2, 4, 5, 7, 0];
        let errors: Vec<_> = lines.iter().map(|line| json!({ "line": line })).collect();
        let mut problem = json!({ "errors": errors });
        text.locate(&mut problem);
        let found: Vec<_> = problem["errors"].as_array().unwrap().iter().collect();
        let expected = [
            json!({ "file": "a.yaml", "line": 1 }),
            json!({ "file": "a.yaml", "line": 2 }),
            json!({ "file": "b.json", "line": 1 }),
            json!({ "file": "b.json", "line": 2 }),
            json!({ "file": "c.yaml", "line": 1 }),
            json!({ "line": 0 }),
        ];
        assert_eq!(found, expected.iter().collect::<Vec<_>>());
    }
}
