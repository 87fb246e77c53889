//! Rows as a table for people: columns as wide as their widest cell, two blanks between.

use serde_json::Value;

/// The table with its header; no trailing blanks.
pub(crate) fn render(header: &[&str], rows: &[Vec<String>]) -> String {
    let width = |column: usize| {
        let cells = rows.iter().filter_map(|row| row.get(column)).map(|cell| cell.chars().count());
        cells.chain(header.get(column).map(|name| name.len())).max().unwrap_or(0)
    };
    let widths: Vec<usize> = (0..header.len()).map(width).collect();
    let mut text = String::new();
    let head: Vec<String> = header.iter().map(|name| (*name).to_owned()).collect();
    for row in std::iter::once(&head).chain(rows) {
        let mut line = String::new();
        for (cell, width) in row.iter().zip(&widths) {
            line.push_str(cell);
            line.push_str(&" ".repeat(width.saturating_sub(cell.chars().count()) + 2));
        }
        text.push_str(line.trim_end());
        text.push('\n');
    }
    text
}

/// A table of objects: a column for each member, with its name in capitals.
pub(crate) fn of(columns: &[&str], objects: &[Value]) -> String {
    let header: Vec<String> = columns.iter().map(|name| name.to_uppercase()).collect();
    let header: Vec<&str> = header.iter().map(String::as_str).collect();
    let row = |object: &Value| columns.iter().map(|column| cell(&object[*column])).collect();
    let rows: Vec<Vec<String>> = objects.iter().map(row).collect();
    render(&header, &rows)
}

/// The same without the columns in which nothing stands.
pub(crate) fn of_filled(columns: &[&str], objects: &[Value]) -> String {
    let filled = |column: &&str| objects.iter().any(|object| !object[*column].is_null());
    let columns: Vec<&str> = columns.iter().copied().filter(filled).collect();
    of(&columns, objects)
}

/// A value as a cell: text without quotes and without what a terminal would obey, `-` when absent.
pub(crate) fn cell(value: &Value) -> String {
    match value {
        Value::Null => "-".to_owned(),
        Value::String(text) => text.chars().flat_map(harmless).collect(),
        other => other.to_string(),
    }
}

fn harmless(letter: char) -> impl Iterator<Item = char> {
    let escaped = letter.is_control().then(|| letter.escape_default());
    let plain = escaped.is_none().then_some(letter);
    escaped.into_iter().flatten().chain(plain)
}

/// `1 leg`, `2 legs`.
pub(crate) fn counted(number: &Value, what: &str) -> String {
    let plural = if number.as_u64() == Some(1) { "" } else { "s" };
    format!("{number} {what}{plural}")
}

#[cfg(test)]
mod tests {
    #[test]
    fn columns_of_objects_and_cells_of_values() {
        let objects = [serde_json::json!({"a": "x", "b": 5}), serde_json::json!({"a": "yy"})];
        assert_eq!(super::of(&["a", "b", "c"], &objects), "A   B  C\nx   5  -\nyy  -  -\n");
        assert_eq!(super::of_filled(&["a", "b", "c"], &objects), "A   B\nx   5\nyy  -\n");
        assert_eq!(super::cell(&"a\n\u{1b}[31mé".into()), "a\\n\\u{1b}[31mé");
        assert_eq!(super::counted(&1.into(), "leg"), "1 leg");
        assert_eq!(super::counted(&0.into(), "leg"), "0 legs");
    }

    #[test]
    fn columns_line_up() {
        let rows =
            [vec!["a".to_owned(), "5".to_owned()], vec!["long name".to_owned(), "".to_owned()]];
        assert_eq!(super::render(&["NAME", "N"], &rows), "NAME       N\na          5\nlong name\n");
    }
}
