//! What is no backup is refused before anything has changed, and says what is wrong with it.

use serde_json::{Value, json};

use super::house::{House, whole};

const PLATFORM: &str = "\
kind: Tenant\nname: acme\n---\nkind: Tenant\nname: beta\n---\n\
kind: IvrProfile\nname: main\ntenant: acme\n\
spec: { service: voicexml, initial_page_url: \"http://a/\" }\n";

/// Rows of a backup, to be changed.
struct Rows(Vec<Value>);

impl Rows {
    fn of(house: &House) -> Self {
        let text = house.get("/v1/backup").text();
        let rows = text.lines().map(|line| serde_json::from_str(line).unwrap());
        Self(rows.filter(|row: &Value| row["end"] != true).collect())
    }

    /// The place of a row of a table in which a member is this.
    fn at(&self, table: &str, member: &str, value: &Value) -> usize {
        let is = |row: &Value| row["table"] == table && row[member] == *value;
        self.0.iter().position(is).unwrap_or_else(|| panic!("no {table} with {member} {value}"))
    }

    fn row(&mut self, table: &str, member: &str, value: &Value) -> &mut Value {
        let at = self.at(table, member, value);
        &mut self.0[at]
    }

    /// The same row once more.
    fn again(&mut self, table: &str, member: &str, value: &Value) {
        let at = self.at(table, member, value);
        self.0.insert(at + 1, self.0[at].clone());
    }

    fn without(&mut self, table: &str, member: &str, value: &Value) {
        let at = self.at(table, member, value);
        self.0.remove(at);
    }

    fn text(&self) -> String {
        whole(&self.0.iter().map(|row| format!("{row}\n")).collect::<String>())
    }
}

type Edit = fn(&mut Rows);

/// What is done to a good backup, and what the refusal says.
const BROKEN: [(&str, Edit); 19] = [
    ("dbid 101 of Tenant is there twice", |rows| rows.again("object", "name", &json!("acme"))),
    ("the object of Tenant with dbid 102 is another one", |rows| {
        rows.row("object", "name", &json!("acme"))["dbid"] = json!(102);
    }),
    ("the object of IvrProfile with dbid 101 is another one", |rows| {
        rows.row("object", "name", &json!("acme"))["kind"] = json!("IvrProfile");
    }),
    ("Tenant with dbid 101 has two names", |rows| {
        rows.row("object", "name", &json!("acme"))["name"] = json!("acne");
    }),
    ("or cannot be read", |rows| {
        rows.row("object", "name", &json!("acme"))["doc"] = json!("{}");
    }),
    ("the objects of revision 3 have", |rows| rows.without("object", "name", &json!("beta"))),
    ("change 0 of revision 2 is there twice", |rows| rows.again("change", "revision", &json!(2))),
    ("revision 3 has 0 of its 1 changes", |rows| rows.without("change", "revision", &json!(3))),
    ("change 0 of revision 2: no object", |rows| {
        let row = rows.row("change", "revision", &json!(2));
        (row["before"], row["after"]) = (Value::Null, Value::Null);
    }),
    ("change 0 of revision 2: its object", |rows| {
        rows.row("change", "revision", &json!(2))["after"] = json!("{}");
    }),
    ("change 0 of revision 2: no object, or not those of \"create\"", |rows| {
        rows.row("change", "revision", &json!(2))["op"] = json!("create");
    }),
    ("change 0 of revision 9, which is not in the history", |rows| {
        rows.row("change", "revision", &json!(3))["revision"] = json!(9);
    }),
    ("change 0 of revision 3 does not follow from the change before it", |rows| {
        let old = rows.row("change", "revision", &json!(2))["before"].clone();
        rows.row("change", "revision", &json!(3))["before"] = old;
    }),
    ("Tenant with dbid 101 is not what its last change made of it", |rows| {
        let old = rows.row("change", "revision", &json!(2))["after"].clone();
        rows.row("change", "revision", &json!(3))["after"] = old;
    }),
    ("a hole before revision 3", |rows| rows.again("revision", "revision", &json!(3))),
    ("revision 3 and the head have two digests", |rows| {
        let other = rows.row("revision", "revision", &json!(2))["digest"].clone();
        rows.row("revision", "revision", &json!(3))["digest"] = other;
    }),
    ("the next dbid of Tenant is 101, and 101 has been given out", |rows| {
        rows.row("dbid_counter", "kind", &json!("Tenant"))["next"] = json!(101);
    }),
    ("dbid 102 of Tenant is in use, and gone for ever", |rows| {
        rows.0.push(json!({ "table": "dbid_gone", "kind": "Tenant", "dbid": 102 }));
    }),
    ("no admin token for all tenants: nobody could log in", |rows| {
        rows.row("token", "role", &json!("admin"))["tenants"] = json!(["acme"]);
    }),
];

#[test]
fn what_does_not_hold_together_is_refused_and_changes_nothing() {
    let mut house = House::open();
    house.applied(PLATFORM);
    for limit in [1, 2] {
        let policy = format!("spec: {{ policy: {{ usage_limit: {limit} }} }}");
        house.applied(&format!("kind: Tenant\nname: acme\n{policy}\n"));
    }
    let digest = house.digest();
    let unchanged = |house: &House, said: &str| {
        let revision = house.get("/v1/objects?limit=1").json()["revision"].clone();
        assert_eq!((revision, house.digest()), (json!(3), digest.clone()), "{said}");
    };
    for (said, edit) in BROKEN {
        let mut rows = Rows::of(&house);
        edit(&mut rows);
        let refused = house.restore(&rows.text());
        assert_eq!(refused.status, 400, "{said}: {}", refused.text());
        let detail = refused.json()["detail"].as_str().unwrap().to_owned();
        assert!(detail.contains(said), "{said}: {detail}");
        unchanged(&house, said);
    }
    house.restart("auth: { anonymous: none }");
    house.use_token(&house.admin());
    unchanged(&house, "after a restart");
    let good = Rows::of(&house).text();
    assert_eq!(house.restore(&good).status, 200);
}

/// Where every admin of the backup has run out, who restores is not locked out by it.
#[test]
fn who_restores_an_old_backup_stays() {
    let mut house = House::with("auth: { anonymous: none }");
    house.use_token(&house.admin());
    let mut rows = Rows::of(&house);
    let admin = rows.row("token", "role", &json!("admin"));
    (admin["id"], admin["expires_at"]) = (json!("longgone"), json!("2026-01-01T00:00:00.000Z"));
    house.applied(PLATFORM);
    let restored = house.restore(&rows.text());
    assert_eq!(restored.status, 200, "{}", restored.text());
    assert_eq!(restored.json()["revision"], 2, "never behind what was given out");
    let tokens = house.get("/v1/tokens");
    assert_eq!(tokens.status, 200, "{}", tokens.text());
    assert_eq!(tokens.json()["items"].as_array().unwrap().len(), 2);
}

/// Clients know by it that a restored server is the one that they knew, and a wiped one is not.
#[test]
fn a_backup_keeps_which_books_they_are() {
    let mut house = House::open();
    house.applied(PLATFORM);
    let books = house.books();
    assert_eq!(books.len(), 32, "{books}");
    house.restart("");
    assert_eq!(house.books(), books, "a restart");
    let backup = Rows::of(&house).text();
    let empty = House::open();
    assert_ne!(empty.books(), books, "a store made anew");
    assert_eq!(empty.restore(&backup).status, 200);
    assert_eq!(empty.books(), books, "restored into an empty server");

    // the server's own history goes on
    let ahead = House::open();
    ahead.applied("kind: Tenant\nname: acme\n");
    ahead.applied("kind: Tenant\nname: beta\n");
    let own = ahead.books();
    assert_eq!(ahead.restore(&backup).status, 200);
    assert_eq!(ahead.books(), own);
    // a backup of an earlier version does not say
    let mut rows = Rows::of(&house);
    rows.without("meta", "key", &json!("books"));
    let other = House::open();
    let own = other.books();
    assert_eq!(other.restore(&rows.text()).status, 200);
    assert_eq!(other.books(), own);
}
