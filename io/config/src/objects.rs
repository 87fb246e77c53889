//! Platform objects from a file, or from all files of a directory.

use std::fmt::Display;
use std::fs;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use model::config::Document;
use model::schema::Problem;
use model::tree::{Node, Position};

use crate::yaml::{self, MAX_FILE};

/// Files of one directory: more is a mistake of path.
const MAX_FILES: usize = 10_000;

/// All documents of a file, or of the `*.yaml`, `*.yml` and `*.json` files of a directory in the
/// order of their names.
///
/// # Errors
/// E001 for each file that cannot be read or parsed.
pub fn load(path: &Path) -> Result<Vec<Document>, Vec<Problem>> {
    let mut documents = Vec::new();
    let mut problems = Vec::new();
    for file in files(path).map_err(|problem| vec![problem])? {
        match load_file(&file) {
            Ok(more) => documents.extend(more),
            Err(problem) => problems.push(problem),
        }
    }
    if problems.is_empty() { Ok(documents) } else { Err(problems) }
}

/// As [`load`], for what a daemon reads again and again: a pipe or a device, on which opening and
/// reading may wait for ever, is refused unopened.
///
/// # Errors
/// As [`load`].
pub fn load_standing(path: &Path) -> Result<Vec<Document>, Vec<Problem>> {
    match fs::metadata(path) {
        Ok(found) if !found.is_file() && !found.is_dir() => {
            Err(vec![unreadable(path, "expected a regular file or a directory")])
        }
        _ => load(path),
    }
}

/// The documents of a text.
///
/// # Errors
/// E001 if it is neither YAML nor JSON.
pub fn from_text(text: &str, file: Option<Arc<str>>) -> Result<Vec<Document>, Problem> {
    let roots = yaml::parse(text).map_err(|problem| Problem { file: file.clone(), ..problem })?;
    let sizes = sizes(text, &roots);
    let numbered = (1..).zip(roots).zip(sizes);
    let document = |((number, root), size)| Document { file: file.clone(), number, size, root };
    Ok(numbered.map(document).collect())
}

/// A file's text, at most `MAX_FILE` bytes of it.
///
/// # Errors
/// E001 with the reason.
pub(crate) fn read(file: &Path) -> Result<String, Problem> {
    let mut bytes = Vec::new();
    let most = MAX_FILE as u64 + 1;
    let read = fs::File::open(file).and_then(|f| f.take(most).read_to_end(&mut bytes));
    if let Err(error) = read {
        return Err(unreadable(file, error));
    }
    String::from_utf8(bytes)
        .map_err(|_| refused(file, "not valid YAML or JSON: the file is not UTF-8 text".to_owned()))
}

fn load_file(file: &Path) -> Result<Vec<Document>, Problem> {
    let text = read(file)?;
    from_text(&text, Some(Arc::from(file.display().to_string())))
}

fn unreadable(file: &Path, why: impl Display) -> Problem {
    refused(file, format!("cannot read the file: {why}"))
}

fn refused(file: &Path, message: String) -> Problem {
    Problem {
        code: "E001",
        at: Position::default(),
        path: String::new(),
        message,
        file: Some(Arc::from(file.display().to_string())),
        object: None,
    }
}

/// A file itself, or the `*.yaml`, `*.yml` and `*.json` files of a directory in the order of their
/// names.
///
/// # Errors
/// E001 for a directory that cannot be read or has none.
pub fn files(path: &Path) -> Result<Vec<PathBuf>, Problem> {
    if !path.is_dir() {
        return Ok(vec![path.to_owned()]);
    }
    let mut files = Vec::new();
    let entries = fs::read_dir(path);
    let entries = entries.map_err(|error| unreadable(path, error))?;
    for entry in entries.take(MAX_FILES) {
        let entry = entry.map_err(|error| unreadable(path, error))?;
        let file = entry.path();
        let hidden = entry.file_name().to_string_lossy().starts_with('.');
        let ending = file.extension().and_then(|ending| ending.to_str());
        if !hidden && matches!(ending, Some("yaml" | "yml" | "json")) && file.is_file() {
            files.push(file);
        }
    }
    files.sort();
    if files.is_empty() {
        return Err(unreadable(path, "it is a directory without *.yaml or *.json files"));
    }
    Ok(files)
}

/// Bytes from each document's first line to the next one's.
fn sizes(text: &str, roots: &[Node]) -> Vec<usize> {
    let mut starts = Vec::new();
    let mut lines = text.split_inclusive('\n');
    let (mut line, mut offset) = (1, 0);
    for root in roots.iter().skip(1) {
        while line < root.at.line {
            let Some(text) = lines.next() else { break };
            offset += text.len();
            line += 1;
        }
        starts.push(offset);
    }
    let ends = starts.iter().copied().chain([text.len()]);
    let begins = [0].into_iter().chain(starts.iter().copied());
    begins.zip(ends).map(|(begin, end)| end - begin).take(roots.len()).collect()
}

#[cfg(test)]
mod tests {
    use super::{from_text, load, load_standing};

    #[test]
    fn documents_are_numbered_and_measured() {
        let documents = from_text("a: 1\n---\nb: 22\n---\nc: 333\n", None).unwrap();
        let facts: Vec<_> = documents.iter().map(|d| (d.number, d.size)).collect();
        assert_eq!(facts, [(1, 9), (2, 10), (3, 7)]);
    }

    #[test]
    fn a_directory_is_read_in_order_and_every_fault_is_told() {
        let dir = tempfile::tempdir().unwrap();
        let write = |name: &str, text: &str| std::fs::write(dir.path().join(name), text).unwrap();
        write("b.yaml", "b: 1\n");
        write("a.json", "{\"a\": 1}");
        write(".hidden.yaml", "x: [");
        write("notes.txt", "x: [");
        let documents = load(dir.path()).unwrap();
        let first = documents[0].root.get("a").is_some() && documents[1].root.get("b").is_some();
        assert!(first && documents.len() == 2);
        write("c.yaml", "c: [\n");
        write("d.yml", "d: *x\n");
        let problems = load(dir.path()).unwrap_err();
        assert_eq!(problems.len(), 2);
        assert!(problems[0].to_string().contains("c.yaml:1:4: E001: "), "{}", problems[0]);
    }

    #[test]
    fn what_stands_is_a_file_or_a_directory() {
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join("a.yaml"), "a: 1\n").unwrap();
        for path in [dir.path().to_owned(), dir.path().join("a.yaml")] {
            assert_eq!(load_standing(&path).unwrap().len(), 1, "{}", path.display());
        }
        // a file without end
        let endless = load_standing(std::path::Path::new("/dev/zero")).unwrap_err();
        let told = "/dev/zero: E001: cannot read the file: expected a regular file or a directory";
        assert_eq!(endless[0].to_string(), told);
        assert!(
            load_standing(&dir.path().join("b.yaml")).unwrap_err()[0].message.contains("No such")
        );
    }

    #[test]
    fn what_cannot_be_read_is_a_problem() {
        let dir = tempfile::tempdir().unwrap();
        let missing = load(&dir.path().join("none.yaml")).unwrap_err();
        let told = "none.yaml: E001: cannot read the file: No such file or directory (os error 2)";
        assert!(missing[0].to_string().ends_with(told), "{}", missing[0]);
        assert!(load(dir.path()).unwrap_err()[0].message.contains("without *.yaml"));
        std::fs::write(dir.path().join("x.yaml"), b"\xFF\xFE").unwrap();
        assert!(load(dir.path()).unwrap_err()[0].message.ends_with("is not UTF-8 text"));
    }
}
