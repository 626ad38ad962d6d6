//! What is measured together, and how the figures wanted are named: `just bench webhook catchup`.

use std::path::Path;
use std::time::Duration;

use anyhow::ensure;

use crate::MIB;
use crate::figures::{Figures, Target};
use crate::measure;
use crate::scene::Way;

/// Figures that come from one run of the daemon.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Group {
    Size,
    Ready,
    RelayResult,
    RelayJsonl,
    Ingest,
    IngestSlowKapso,
    Webhook,
    Burst,
    Catchup,
    Journal,
    Guard,
    Idle,
}

impl Group {
    const ALL: [Self; 12] = [
        Self::Size,
        Self::Ready,
        Self::RelayResult,
        Self::RelayJsonl,
        Self::Ingest,
        Self::IngestSlowKapso,
        Self::Webhook,
        Self::Burst,
        Self::Catchup,
        Self::Journal,
        Self::Guard,
        Self::Idle,
    ];

    /// The figures that have a target.
    fn figures(self) -> &'static [&'static str] {
        match self {
            Self::Size => &["binary_mib"],
            Self::Ready => &["ready_new_journal_ms", "ready_ms"],
            Self::RelayResult => &["relay_result_p50_ms", "relay_result_p99_ms"],
            Self::RelayJsonl => &["relay_jsonl_p50_ms", "relay_jsonl_p99_ms"],
            Self::Ingest => &["ingest_to_gateway_p50_ms", "ingest_to_gateway_p99_ms"],
            Self::IngestSlowKapso => &[
                "ingest_to_gateway_slow_kapso_p50_ms",
                "ingest_to_gateway_slow_kapso_p99_ms",
            ],
            Self::Webhook => &["webhook_rps", "webhook_p99_ms", "rss_after_100k_mib"],
            Self::Burst => &["burst_10000_s", "burst_10000_rss_mib"],
            Self::Catchup => &["catchup_5000_s"],
            Self::Journal => &["store_1m_rows_accept_p99_ms"],
            Self::Guard => &["guard_decisions_per_s"],
            Self::Idle => &["idle_cpu_percent", "idle_rss_mib"],
        }
    }

    /// The groups that have a figure whose name contains one of `words`; all without any word.
    ///
    /// # Errors
    /// When a word is in no name.
    pub(crate) fn chosen(words: &[String]) -> anyhow::Result<Vec<Self>> {
        let named =
            |group: &Self, word: &str| group.figures().iter().any(|name| name.contains(word));
        for word in words {
            ensure!(
                Self::ALL.iter().any(|group| named(group, word)),
                "no figure is called like {word:?}; there are {}",
                Self::ALL.map(|group| group.figures().join(", ")).join(", ")
            );
        }
        let wanted = |group: &Self| words.is_empty() || words.iter().any(|word| named(group, word));
        Ok(Self::ALL.into_iter().filter(wanted).collect())
    }

    /// Adds what it measures to `figures`.
    pub(crate) async fn measure(self, program: &Path, figures: &mut Figures) -> anyhow::Result<()> {
        match self {
            Self::Size => {
                let size = std::fs::metadata(program)?.len() as f64 / MIB;
                figures.add("binary_mib", Target::Below(8.0), size);
                Ok(())
            }
            Self::Ready => measure::ready(program, figures).await,
            Self::RelayResult => measure::relay(program, figures, Way::Result).await,
            Self::RelayJsonl => measure::relay(program, figures, Way::Jsonl).await,
            Self::Ingest => {
                measure::ingest(program, figures, "ingest_to_gateway", Duration::ZERO).await
            }
            Self::IngestSlowKapso => {
                let stem = "ingest_to_gateway_slow_kapso";
                measure::ingest(program, figures, stem, Duration::from_millis(100)).await
            }
            Self::Webhook => measure::webhook(program, figures).await,
            Self::Burst => measure::burst(program, figures).await,
            Self::Catchup => measure::catchup(program, figures).await,
            Self::Journal => measure::journal(figures).await,
            Self::Guard => measure::guard(figures),
            Self::Idle => measure::idle(program, figures).await,
        }
    }
}
