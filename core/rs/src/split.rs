//! One body of `POST /api/v1/records` becomes its records (rs.md §1.7): where each begins and ends,
//! never what is in it. A record that is no good JSON is still one record, as long as it is clear
//! where it ends; judging it is the reader's matter.

/// How records stand in a body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// One JSON object, or an array of records.
    Json,
    /// One record a line; empty lines count for nothing.
    Lines,
}

/// Why a body cannot be split.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unsplit {
    /// More records than allowed.
    #[error("more than {0} records")]
    TooMany(usize),
    /// What stands at this byte makes no sense.
    #[error("byte {at}: {what}")]
    Broken {
        /// From 0.
        at: usize,
        /// What is wrong there.
        what: &'static str,
    },
}

const BOM: &[u8] = b"\xef\xbb\xbf";

/// The records of a body, in order; at most so many.
///
/// # Errors
/// [`Unsplit`]; nothing of the body is usable then.
pub fn split(body: &[u8], form: Form, most: usize) -> Result<Vec<&[u8]>, Unsplit> {
    let at = if body.starts_with(BOM) { BOM.len() } else { 0 };
    match form {
        Form::Lines => lines(body.get(at..).unwrap_or_default(), most),
        Form::Json => Scan { body, at }.whole(most),
    }
}

fn lines(body: &[u8], most: usize) -> Result<Vec<&[u8]>, Unsplit> {
    let lines = body.split(|byte| *byte == b'\n').map(<[u8]>::trim_ascii);
    let records: Vec<_> = lines.filter(|line| !line.is_empty()).take(most + 1).collect();
    if records.len() > most { Err(Unsplit::TooMany(most)) } else { Ok(records) }
}

struct Scan<'b> {
    body: &'b [u8],
    at: usize,
}

impl<'b> Scan<'b> {
    fn whole(mut self, most: usize) -> Result<Vec<&'b [u8]>, Unsplit> {
        self.space();
        let records = match self.peek() {
            Some(b'{') => vec![self.element(None)?],
            Some(b'[') => self.array(most)?,
            Some(_) => return Err(self.broken("expected an object or an array")),
            None => return Err(self.broken("the body is empty")),
        };
        self.space();
        match self.peek() {
            None => Ok(records),
            Some(_) => Err(self.broken("something follows the end of the JSON")),
        }
    }

    fn array(&mut self, most: usize) -> Result<Vec<&'b [u8]>, Unsplit> {
        self.at += 1;
        let mut records = Vec::new();
        self.space();
        if self.peek() == Some(b']') {
            self.at += 1;
            return Ok(records);
        }
        loop {
            self.space();
            let element = self.element(Some(b']'))?;
            if element.is_empty() {
                return Err(self.broken("expected a record"));
            }
            if records.len() == most {
                return Err(Unsplit::TooMany(most));
            }
            records.push(element);
            match self.peek() {
                Some(b',') => self.at += 1,
                Some(b']') => {
                    self.at += 1;
                    return Ok(records);
                }
                Some(_) | None => return Err(self.broken("the array does not end")),
            }
        }
    }

    /// One value, without the space behind it. In an array it ends before `,` or the array's end;
    /// alone it ends with the bracket that closes it.
    fn element(&mut self, end: Option<u8>) -> Result<&'b [u8], Unsplit> {
        let from = self.at;
        let mut depth = 0_usize;
        while let Some(byte) = self.peek() {
            match byte {
                b'"' => {
                    self.string()?;
                    continue;
                }
                b'{' | b'[' => depth += 1,
                b',' if depth == 0 => break,
                b'}' | b']' if depth == 0 && Some(byte) == end => break,
                b'}' | b']' if depth == 0 => return Err(self.broken("a bracket too many")),
                b'}' | b']' => depth -= 1,
                _ => {}
            }
            self.at += 1;
            if depth == 0 && end.is_none() {
                break;
            }
        }
        if depth > 0 {
            return Err(self.broken("a bracket is not closed"));
        }
        Ok(self.body.get(from..self.at).unwrap_or_default().trim_ascii_end())
    }

    /// Goes behind a text, whatever its escapes mean.
    fn string(&mut self) -> Result<(), Unsplit> {
        self.at += 1;
        while let Some(byte) = self.peek() {
            self.at += match byte {
                b'\\' => 2,
                _ => 1,
            };
            if byte == b'"' {
                return Ok(());
            }
        }
        Err(self.broken("a text does not end"))
    }

    fn space(&mut self) {
        while self.peek().is_some_and(|byte| b" \t\r\n".contains(&byte)) {
            self.at += 1;
        }
    }

    fn peek(&self) -> Option<u8> {
        self.body.get(self.at).copied()
    }

    fn broken(&self, what: &'static str) -> Unsplit {
        Unsplit::Broken { at: self.at.min(self.body.len()), what }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn shown(body: &str, form: Form) -> Result<Vec<String>, String> {
        let records = split(body.as_bytes(), form, 4).map_err(|error| error.to_string())?;
        Ok(records.into_iter().map(|one| String::from_utf8(one.to_vec()).unwrap()).collect())
    }

    #[test]
    fn what_is_split_and_where() {
        let cases: [(&str, &[&str]); 11] = [
            ("{}", &["{}"]),
            (" \r\n{\"a\":[1,{\"b\":\"}\"}]}\n", &["{\"a\":[1,{\"b\":\"}\"}]}"]),
            ("[]", &[]),
            ("[ ]", &[]),
            ("[{} , {\"a\":\"],\\\"[\"},3,\"x\"]", &["{}", "{\"a\":\"],\\\"[\"}", "3", "\"x\""]),
            ("[tru e , {\"a\" 1}]", &["tru e", "{\"a\" 1}"]),
            ("[[1,2],[]]", &["[1,2]", "[]"]),
            ("\u{feff}[1]", &["1"]),
            ("[\"\\\\\"]", &["\"\\\\\""]),
            ("[{\"a\":[}]]", &["{\"a\":[}]"]),
            ("[1\n]\n", &["1"]),
        ];
        for (body, expected) in cases {
            assert_eq!(shown(body, Form::Json).unwrap(), expected, "{body}");
        }
        let lines = "\u{feff}{\"a\":1}\r\n\n  \nnot json\n[1]";
        assert_eq!(shown(lines, Form::Lines).unwrap(), ["{\"a\":1}", "not json", "[1]"]);
        assert_eq!(shown("", Form::Lines).unwrap(), [""; 0]);
    }

    #[test]
    fn what_cannot_be_split() {
        let cases = [
            ("", "byte 0: the body is empty"),
            ("  ", "byte 2: the body is empty"),
            ("x", "byte 0: expected an object or an array"),
            ("\"{}\"", "byte 0: expected an object or an array"),
            ("{\"a\":1", "byte 6: a bracket is not closed"),
            ("{\"a", "byte 3: a text does not end"),
            ("{\"a\\", "byte 4: a text does not end"),
            ("{} {}", "byte 3: something follows the end of the JSON"),
            ("[1", "byte 2: the array does not end"),
            ("[1,", "byte 3: expected a record"),
            ("[1,]", "byte 3: expected a record"),
            ("[,1]", "byte 1: expected a record"),
            ("[1}]", "byte 2: a bracket too many"),
            ("[1]]", "byte 3: something follows the end of the JSON"),
            ("[1,2,3,4,5]", "more than 4 records"),
        ];
        for (body, expected) in cases {
            assert_eq!(shown(body, Form::Json).unwrap_err(), expected, "{body}");
        }
        assert_eq!(shown("1\n2\n3\n4\n5", Form::Lines).unwrap_err(), "more than 4 records");
    }

    fn json() -> impl Strategy<Value = serde_json::Value> {
        use serde_json::Value;
        let leaf = prop_oneof![
            any::<i64>().prop_map(Value::from),
            any::<bool>().prop_map(Value::from),
            "[\\PC\"\\\\\\[\\]{},]{0,8}".prop_map(Value::from),
        ];
        leaf.prop_recursive(3, 20, 4, |inner| {
            prop_oneof![
                proptest::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
                proptest::collection::btree_map("[a\"\\]]{0,3}", inner, 0..4)
                    .prop_map(|map| Value::Object(map.into_iter().collect())),
            ]
        })
    }

    proptest! {
        #[test]
        fn every_array_comes_apart_into_its_elements(
            elements in proptest::collection::vec(json(), 0..8),
            pretty in any::<bool>(),
        ) {
            let whole = serde_json::Value::from(elements.clone());
            let text = if pretty { format!("{whole:#}") } else { whole.to_string() };
            let parts = split(text.as_bytes(), Form::Json, 8).unwrap();
            let read: Vec<serde_json::Value> =
                parts.iter().map(|part| serde_json::from_slice(part).unwrap()).collect();
            prop_assert_eq!(read, elements);
        }

        #[test]
        fn any_bytes_give_an_answer(body in proptest::collection::vec(
            prop_oneof![any::<u8>(), proptest::sample::select(&b"[]{},\"\\\n "[..])], 0..200)
        ) {
            for form in [Form::Json, Form::Lines] {
                if let Ok(parts) = split(&body, form, 50) {
                    prop_assert!(parts.len() <= 50 && parts.iter().all(|part| !part.is_empty()));
                }
            }
        }
    }
}
