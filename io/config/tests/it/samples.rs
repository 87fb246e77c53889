//! The samples of `deploy/samples` against the program.

use config::Settings;

#[test]
fn the_full_sample_says_every_default() {
    let text = include_str!("../../../../deploy/samples/settings-full.yaml");
    let read = Settings::from_text(text, None, []).unwrap();
    let origins = read.origins.clone();
    assert_eq!(read, Settings { origins, ..Settings::default() });
    // Every key in the comments too: with the marks of a commented key taken away it still reads.
    let uncommented: String = text
        .lines()
        .map(|line| {
            let body = line.trim_start();
            let key = body
                .strip_prefix("# ")
                .filter(|rest| rest.split(':').next().is_some_and(|name| !name.contains(' ')));
            match key {
                Some(rest) => format!("{}{rest}\n", &line[..line.len() - body.len()]),
                None => format!("{line}\n"),
            }
        })
        .filter(|line| !line.trim_start().starts_with("peers:\n"))
        .collect();
    let problems = Settings::from_text(&uncommented, None, []).err().unwrap_or_default();
    assert!(problems.is_empty(), "{problems:?}\n{uncommented}");
}
