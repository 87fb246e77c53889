//! What a slice looks at: of the calls of a tenant or profile only those behind the last one.

use rs::retention::Which;

use super::super::due::page_sql;
use super::*;

#[test]
fn calls_of_a_tenant_or_profile_are_found_by_its_index() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    store.apply(&arrivals(&story(), 1, 3), NOW).unwrap();
    let db = Connection::open(dir.path().join("days/20261122.db")).unwrap();
    let of = |tenant, profile| Which::Of { tenant, profile };
    let whose = [
        (of(Some(1), Some(2)), "rs_call_profile (profile_id=? AND started_ms>?)"),
        (of(None, Some(2)), "rs_call_profile (profile_id=? AND started_ms>?)"),
        (of(None, None), "rs_call_profile (profile_id=? AND started_ms>?)"),
        (of(Some(1), None), "rs_call_tenant_started (tenant_id=? AND"),
        (Which::All, "rs_call_started ("),
    ];
    for (which, index) in whose {
        let mut plan = db.prepare(&format!("EXPLAIN QUERY PLAN {}", page_sql(which))).unwrap();
        let values = (0, [0_u8; 16], 1, 2, 10);
        let plan = plan.query_map(values, |row| row.get::<_, String>(3)).unwrap();
        let plan = plan.collect::<Result<Vec<_>, _>>().unwrap();
        assert!(plan[0].starts_with("SEARCH") && plan[0].contains(index), "{which:?} {plan:?}");
        assert!(plan.iter().all(|step| !step.starts_with("SCAN")), "{which:?} {plan:?}");
    }
}
