//! `config::Settings`: any text is settings or a list of problems with places.

pub(super) fn run(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    if let Err(problems) = config::Settings::from_text(&text, None, []) {
        assert!(!problems.is_empty(), "a refusal says why");
    }
}
