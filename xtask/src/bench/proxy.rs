//! `cargo xtask bench proxy`: what a call costs here and with Kamailio, under the same load.
//!
//! SIPp plays callers and four media servers on loopback addresses; the systems take turns on the
//! same machine, so that what disturbs it disturbs all of them. Compared are only equal rates: the
//! cost of a call falls for everyone as calls come closer together.

pub(super) mod call;
mod held;
mod kamailio;
mod knee;
mod load;
mod plan;
pub(super) mod process;
mod quota;
pub(super) mod ringmaster;
pub(super) mod site;
pub(super) mod sipp;
pub(super) mod system;
mod tables;

use std::path::Path;
use std::time::Instant;

use anyhow::{Context, Result};

use self::plan::{Part, Plan};
use self::system::Tools;

const MARKS: [&str; 2] = ["<!-- proxy: begin -->", "<!-- proxy: end -->"];

/// Installs what is missing, measures, prints the tables.
pub(super) fn run(root: &Path, args: &[String]) -> Result<()> {
    let plan = Plan::parse(args)?;
    system::need_packages(root)?;
    let tools = Tools { program: super::built(root)?, files: root.join("deploy/bench") };
    eprintln!("{plan}");
    let mut text = String::new();
    for part in &plan.parts {
        let table = match part {
            Part::Load => tables::load(&plan, &load::run(&tools, &plan)),
            Part::Knee => tables::knee(&knee::run(&tools, &plan, None)),
            Part::Share => tables::share(&plan, &knee::run(&tools, &plan, Some(plan.quota))),
            Part::Held => tables::held(&plan, &held::run(&tools, &plan)),
        };
        println!("{table}");
        text.push_str(&table);
        text.push('\n');
    }
    if plan.write {
        super::write(root, MARKS, text.trim_end_matches('\n')).context("the tables are lost")?;
    }
    Ok(())
}

/// What a turn measured, told at once: a run that is stopped has lost only the turn in hand. A
/// turn that fails is told and left out, so that an hour of others is not lost with it.
pub(super) fn told<T: std::fmt::Debug>(turn: usize, measured: Result<T>, all: &mut Vec<T>) -> bool {
    match measured {
        Ok(one) => {
            eprintln!("turn {turn}: {one:?}");
            all.push(one);
            true
        }
        Err(error) => {
            eprintln!("turn {turn} failed: {error:#}");
            false
        }
    }
}

/// Time for deadlines and for lengths.
#[expect(clippy::disallowed_methods, reason = "a bench measures time")]
pub(super) fn now() -> Instant {
    Instant::now()
}

/// The middle one; of an even number the mean of both in the middle.
pub(super) fn median(values: impl IntoIterator<Item = f64>) -> f64 {
    let mut values: Vec<f64> = values.into_iter().collect();
    values.sort_by(f64::total_cmp);
    let upper = values.get(values.len() / 2).copied();
    let lower = values.get(values.len().saturating_sub(1) / 2).copied();
    lower.zip(upper).map_or(f64::NAN, |(lower, upper)| f64::midpoint(lower, upper))
}

#[cfg(test)]
mod tests {
    use super::median;

    #[test]
    fn the_median_of_odd_and_even_numbers() {
        assert!((median([3.0, 1.0, 2.0]) - 2.0).abs() < f64::EPSILON);
        assert!((median([4.0, 1.0, 2.0, 3.0]) - 2.5).abs() < f64::EPSILON);
        assert!(median([]).is_nan());
    }
}
