//! Rows of the bin tables: read by position, written in bulk through temporary tables.

use rs::rollup::{ActionRow, At, BinRows, CountRow, LatencyRow, LevelRow, OutcomeRow, SqRow};
use tiberius::{ToSql, TokenRow};

use super::failure::Failure;
use super::link::{Cells, Link};
use super::row::row;
use super::save::{BULK_BYTES, put, stage};
use super::statement::{Statement, bins as sql, bins_gone as gone, save};

/// Statements that read each table: which rows is theirs to know.
pub(super) struct Reads {
    pub(super) counts: Statement,
    pub(super) levels: Statement,
    pub(super) outcomes: Statement,
    pub(super) actions: Statement,
    pub(super) quality: Statement,
    pub(super) latencies: Statement,
}

/// All rows of bins.
pub(super) const ALL: Reads = Reads {
    counts: sql::COUNTS,
    levels: sql::LEVELS,
    outcomes: sql::OUTCOMES,
    actions: sql::ACTIONS,
    quality: sql::SQ_BINS,
    latencies: sql::LATENCIES,
};

/// Rows of all tables.
pub(super) async fn all(link: &mut Link, values: &[&dyn ToSql]) -> Result<BinRows, Failure> {
    Ok(BinRows {
        counts: link.ask(ALL.counts, values, count).await?,
        levels: link.ask(ALL.levels, values, level).await?,
        outcomes: link.ask(ALL.outcomes, values, outcome).await?,
        actions: link.ask(ALL.actions, values, action).await?,
        quality: link.ask(ALL.quality, values, quality).await?,
        latencies: link.ask(ALL.latencies, values, latency).await?,
        texts: Vec::new(),
    })
}

fn at(cells: &Cells<'_>) -> Result<At, Failure> {
    Ok(At { gran: cells.some(0, Cells::word)?, bin_ms: cells.some(1, Cells::number)? })
}

pub(super) fn count(cells: &Cells<'_>) -> Result<CountRow, Failure> {
    let (word, number) = (|at| cells.some(at, Cells::word), |at| cells.some(at, Cells::number));
    Ok(CountRow {
        at: at(cells)?,
        measure: word(2)?,
        dim: word(3)?,
        dim_id: number(4)?,
        sub: word(5)?,
        call_type: word(6)?,
        count: number(7)?,
        rejected: number(8)?,
        ended: number(9)?,
        duration_ms: number(10)?,
        max_duration_ms: number(11)?,
        answered: number(12)?,
        answered_ms: number(13)?,
        port_ms: number(14)?,
    })
}

pub(super) fn level(cells: &Cells<'_>) -> Result<LevelRow, Failure> {
    let (word, number) = (|at| cells.some(at, Cells::word), |at| cells.some(at, Cells::number));
    Ok(LevelRow {
        at: at(cells)?,
        measure: word(2)?,
        dim: word(3)?,
        dim_id: number(4)?,
        sub: word(5)?,
        level_start: number(6)?,
        peak: number(7)?,
        peak_ms: number(8)?,
        peak_by_type: cells.some(9, Cells::text)?,
        net: number(10)?,
        types: cells.some(11, Cells::bytes)?,
        deltas: cells.bytes(12)?,
    })
}

pub(super) fn outcome(cells: &Cells<'_>) -> Result<OutcomeRow, Failure> {
    let (word, number) = (|at| cells.some(at, Cells::word), |at| cells.some(at, Cells::number));
    Ok(OutcomeRow {
        at: at(cells)?,
        dim: word(2)?,
        dim_id: number(3)?,
        result: word(4)?,
        reason_key: number(5)?,
        count: number(6)?,
        duration_ms: number(7)?,
    })
}

pub(super) fn action(cells: &Cells<'_>) -> Result<ActionRow, Failure> {
    let (word, number) = (|at| cells.some(at, Cells::word), |at| cells.some(at, Cells::number));
    Ok(ActionRow {
        at: at(cells)?,
        dim: word(2)?,
        dim_id: number(3)?,
        action_key: number(4)?,
        result: word(5)?,
        count: number(6)?,
        last_count: number(7)?,
        duration_ms: number(8)?,
        min_ms: number(9)?,
        max_ms: number(10)?,
    })
}

pub(super) fn quality(cells: &Cells<'_>) -> Result<SqRow, Failure> {
    let number = |at| cells.some(at, Cells::number);
    Ok(SqRow {
        at: at(cells)?,
        dim: cells.some(2, Cells::word)?,
        dim_id: number(3)?,
        calls: number(4)?,
        failed: number(5)?,
        by_type: cells.some(6, Cells::text)?,
    })
}

pub(super) fn latency(cells: &Cells<'_>) -> Result<LatencyRow, Failure> {
    let number = |at| cells.some(at, Cells::number);
    Ok(LatencyRow {
        at: at(cells)?,
        component_id: number(2)?,
        kind: cells.some(3, Cells::text)?,
        count: number(4)?,
        sum: number(5)?,
        sumsq: (number(6)?, number(7)?),
        min: number(8)?,
        max: number(9)?,
        hist: cells.some(10, Cells::bytes)?,
    })
}

fn of_count(of: &CountRow) -> TokenRow<'_> {
    row![
        of.at.gran,
        of.at.bin_ms,
        of.measure,
        of.dim,
        of.dim_id,
        of.sub,
        of.call_type,
        of.count,
        of.rejected,
        of.ended,
        of.duration_ms,
        of.max_duration_ms,
        of.answered,
        of.answered_ms,
        of.port_ms,
    ]
}

fn of_level(of: &LevelRow) -> TokenRow<'_> {
    let deltas = of.deltas.as_deref().filter(|deltas| deltas.len() <= BULK_BYTES);
    row![
        of.at.gran,
        of.at.bin_ms,
        of.measure,
        of.dim,
        of.dim_id,
        of.sub,
        of.level_start,
        of.peak,
        of.peak_ms,
        of.peak_by_type.as_str(),
        of.net,
        &of.types[..],
        deltas,
    ]
}

fn of_outcome(of: &OutcomeRow) -> TokenRow<'_> {
    let At { gran, bin_ms } = of.at;
    row![gran, bin_ms, of.dim, of.dim_id, of.result, of.reason_key, of.count, of.duration_ms]
}

fn of_action(of: &ActionRow) -> TokenRow<'_> {
    row![
        of.at.gran,
        of.at.bin_ms,
        of.dim,
        of.dim_id,
        of.action_key,
        of.result,
        of.count,
        of.last_count,
        of.duration_ms,
        of.min_ms,
        of.max_ms,
    ]
}

fn of_quality(of: &SqRow) -> TokenRow<'_> {
    let At { gran, bin_ms } = of.at;
    row![gran, bin_ms, of.dim, of.dim_id, of.calls, of.failed, of.by_type.as_str()]
}

fn of_latency(of: &LatencyRow) -> TokenRow<'_> {
    row![
        of.at.gran,
        of.at.bin_ms,
        of.component_id,
        of.kind.as_str(),
        of.count,
        of.sum,
        of.sumsq.0,
        of.sumsq.1,
        of.min,
        of.max,
        &of.hist[..],
    ]
}

/// Deletes rows by key.
pub(super) async fn delete(link: &mut Link, rows: &BinRows) -> Result<(), Failure> {
    if stage(link, &save::COUNT_BIN, rows.counts.iter().map(of_count)).await? {
        link.run(gone::COUNTS_GONE, &[]).await?;
    }
    if stage(link, &save::LEVEL_BIN, rows.levels.iter().map(of_level)).await? {
        link.run(gone::LEVELS_GONE, &[]).await?;
    }
    if stage(link, &save::OUTCOME_BIN, rows.outcomes.iter().map(of_outcome)).await? {
        link.run(gone::OUTCOMES_GONE, &[]).await?;
    }
    if stage(link, &save::ACTION_BIN, rows.actions.iter().map(of_action)).await? {
        link.run(gone::ACTIONS_GONE, &[]).await?;
    }
    if stage(link, &save::SQ_BIN, rows.quality.iter().map(of_quality)).await? {
        link.run(gone::SQ_BINS_GONE, &[]).await?;
    }
    if stage(link, &save::LATENCY_BIN, rows.latencies.iter().map(of_latency)).await? {
        link.run(gone::LATENCIES_GONE, &[]).await?;
    }
    Ok(())
}

/// Puts rows in place of those with their key.
pub(super) async fn write(link: &mut Link, rows: &BinRows) -> Result<(), Failure> {
    put(link, &save::COUNT_BIN, rows.counts.iter().map(of_count)).await?;
    put(link, &save::LEVEL_BIN, rows.levels.iter().map(of_level)).await?;
    for of in &rows.levels {
        let Some(deltas) = of.deltas.as_ref().filter(|deltas| deltas.len() > BULK_BYTES) else {
            continue;
        };
        let At { gran, bin_ms } = &of.at;
        let values: [&dyn ToSql; 7] =
            [gran, bin_ms, &of.measure, &of.dim, &of.dim_id, &of.sub, deltas];
        link.run(sql::DELTAS_ONE, &values).await?;
    }
    put(link, &save::OUTCOME_BIN, rows.outcomes.iter().map(of_outcome)).await?;
    put(link, &save::ACTION_BIN, rows.actions.iter().map(of_action)).await?;
    put(link, &save::SQ_BIN, rows.quality.iter().map(of_quality)).await?;
    put(link, &save::LATENCY_BIN, rows.latencies.iter().map(of_latency)).await?;
    Ok(())
}

/// Puts texts of figures, where they are missing.
pub(super) async fn write_texts(link: &mut Link, texts: &[(i64, String)]) -> Result<(), Failure> {
    for (key, text) in texts {
        link.run(sql::TEXT_INSERT, &[key, text]).await?;
    }
    Ok(())
}
