//! What is to be measured, from the command line.

use std::fmt;

use anyhow::{Context, Result, bail};

use super::call::Via;
use super::system::System;

const USAGE: &str = "options of bench proxy:
  --alternations N     turns of a load (5); Kamailio fm, the second column, takes the first only
  --knees N            turns of the knee (1)
  --quota PERCENT      of one processor for the system, in the part share (30)
  --rates A,B,…        calls per second (1000,4000)
  --via udp|tcp        one transport only
  --only SYSTEM,…      ringmaster, tlsf, fm (Kamailio with that allocator)
  --part load|knee|share|held  one part only
  --warm SECONDS       load before the measured time (34: until what lives longest, 32 s, is steady)
  --seconds SECONDS    measured time of a load (12)
  --held CALLS         calls held (20000)
  --quick              one turn, 4 s warm, 10 s measured, 1000 calls/s, load only
  --write              put the tables into docs/reference/performance.md";

/// A part of the bench.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Part {
    /// CPU, failures and latency at fixed rates.
    Load,
    /// The highest rate without failures, and half as much again.
    Knee,
    /// The knee of a system that has a share of one processor, so that it is what runs short.
    Share,
    /// Memory of calls that are up.
    Held,
}

/// All that the command line says.
#[derive(Debug, Clone)]
pub(super) struct Plan {
    pub(super) parts: Vec<Part>,
    pub(super) alternations: usize,
    pub(super) knees: usize,
    /// Percent of one processor, for [`Part::Share`].
    pub(super) quota: u32,
    pub(super) rates: Vec<u32>,
    pub(super) vias: Vec<Via>,
    pub(super) systems: Vec<System>,
    pub(super) warm: u32,
    pub(super) seconds: u32,
    pub(super) held: u32,
    pub(super) write: bool,
}

impl Default for Plan {
    fn default() -> Self {
        Self {
            parts: vec![Part::Load, Part::Knee, Part::Share, Part::Held],
            alternations: 5,
            knees: 1,
            quota: 30,
            rates: vec![1000, 4000],
            vias: vec![Via::Udp, Via::Tcp],
            systems: System::ALL.to_vec(),
            warm: 34,
            seconds: 12,
            held: 20_000,
            write: false,
        }
    }
}

impl Plan {
    /// The plan of a command line.
    pub(super) fn parse(args: &[String]) -> Result<Self> {
        let mut plan = Self::default();
        let mut args = args.iter().map(String::as_str);
        while let Some(name) = args.next() {
            match name {
                "--write" => plan.write = true,
                "--quick" => {
                    plan = Self {
                        parts: vec![Part::Load],
                        alternations: 1,
                        rates: vec![1000],
                        warm: 4,
                        seconds: 10,
                        ..plan
                    }
                }
                _ => {
                    let value = args.next().context(USAGE)?;
                    plan.set(name, value).with_context(|| format!("{name} {value}\n{USAGE}"))?;
                }
            }
        }
        let turns = plan.alternations.min(plan.knees);
        if turns == 0 || plan.quota == 0 || plan.seconds == 0 || plan.rates.contains(&0) {
            bail!("nothing can be measured in no time\n{USAGE}");
        }
        Ok(plan)
    }

    /// Each transport at each rate.
    pub(super) fn loads(&self) -> impl Iterator<Item = (Via, u32)> {
        self.vias.iter().flat_map(|via| self.rates.iter().map(|rate| (*via, *rate)))
    }

    /// Whether a system takes part in a turn, from 1 on: the second column is there to be seen
    /// beside the first, and what it costs is time.
    pub(super) fn plays(&self, system: System, turn: usize) -> bool {
        turn == 1 || system != System::Fm || self.systems == [System::Fm]
    }

    fn set(&mut self, name: &str, value: &str) -> Result<()> {
        match name {
            "--alternations" => self.alternations = value.parse()?,
            "--knees" => self.knees = value.parse()?,
            "--quota" => self.quota = value.parse()?,
            "--warm" => self.warm = value.parse()?,
            "--seconds" => self.seconds = value.parse()?,
            "--held" => self.held = value.parse()?,
            "--rates" => {
                self.rates = value.split(',').map(str::parse).collect::<Result<_, _>>()?;
            }
            "--via" => self.vias = vec![Via::parse(value).context("udp or tcp")?],
            "--part" => {
                self.parts = vec![match value {
                    "load" => Part::Load,
                    "knee" => Part::Knee,
                    "share" => Part::Share,
                    "held" => Part::Held,
                    _ => bail!("there is no such part"),
                }];
            }
            "--only" => {
                let system = |name| System::parse(name).context("there is no such system");
                self.systems = value.split(',').map(system).collect::<Result<_>>()?;
            }
            _ => bail!("there is no such option"),
        }
        Ok(())
    }
}

impl fmt::Display for Plan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { parts, alternations, knees, rates, vias, systems, .. } = self;
        let Self { warm, seconds, held, quota, .. } = self;
        write!(
            f,
            "{parts:?}: {alternations} turns of {systems:?} over {vias:?}; {rates:?} calls/s for \
             {warm}+{seconds} s; {knees} turns of the knee, then with {quota} % of a processor; \
             {held} calls held"
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(line: &str) -> Result<Plan> {
        let args: Vec<String> = line.split_whitespace().map(str::to_owned).collect();
        Plan::parse(&args)
    }

    #[test]
    fn what_a_command_line_says() {
        let plan = parse("--quick --via tcp --only ringmaster,fm --rates 500,900").unwrap();
        assert_eq!((plan.alternations, plan.warm, plan.seconds), (1, 4, 10));
        assert_eq!((&*plan.rates, &*plan.vias), (&[500, 900][..], &[Via::Tcp][..]));
        assert_eq!(plan.systems, [System::Ringmaster, System::Fm]);
        assert_eq!(plan.loads().count(), 2);
        let plays = |turn| [System::Ringmaster, System::Fm].map(|system| plan.plays(system, turn));
        assert_eq!((plays(1), plays(2)), ([true, true], [true, false]));
        assert!(parse("--only fm").unwrap().plays(System::Fm, 2));
        assert_eq!(parse("").unwrap().parts.len(), 4);
        assert_eq!(parse("--part share --quota 20").unwrap().quota, 20);
        for wrong in ["--rates", "--rates x", "--rates 0", "--part all", "--quota 0"] {
            assert!(parse(wrong).is_err(), "{wrong}");
        }
        for wrong in ["--fast 1", "--via sctp"] {
            assert!(parse(wrong).is_err(), "{wrong}");
        }
    }
}
