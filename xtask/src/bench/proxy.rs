//! `cargo xtask bench proxy`: what a call costs here and with Kamailio, under the same load.
//!
//! SIPp plays callers and four media servers on loopback addresses; the systems take turns on the
//! same machine, so that what disturbs it disturbs all of them. Compared are only equal rates: the
//! cost of a call falls for everyone as calls come closer together.

mod call;
mod held;
mod kamailio;
mod knee;
mod load;
mod plan;
mod process;
mod ringmaster;
mod site;
mod sipp;
mod system;
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
    println!("{plan}");
    let mut text = format!("Medians of {} turns.\n\n", plan.alternations);
    for part in &plan.parts {
        text.push_str(&match part {
            Part::Load => tables::load(&plan, &load::run(&tools, &plan)?),
            Part::Knee => tables::knee(&knee::run(&tools, &plan)?),
            Part::Held => tables::held(&plan, &held::run(&tools, &plan)?),
        });
        text.push('\n');
    }
    println!("\n{text}");
    if plan.write {
        super::write(root, MARKS, text.trim_end_matches('\n')).context("the tables are lost")?;
    }
    Ok(())
}

/// Time for deadlines and for lengths.
#[expect(clippy::disallowed_methods, reason = "a bench measures time")]
fn now() -> Instant {
    Instant::now()
}

/// The middle one; of an even number the mean of both in the middle.
fn median(values: impl IntoIterator<Item = f64>) -> f64 {
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
