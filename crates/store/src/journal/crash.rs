//! For the proof alone: the process dies at a durable step that was chosen beforehand.

/// The environment variable that names the step.
const VARIABLE: &str = "KAPSO_CRASH_AT";

/// Counts the durable steps of this process: of the k-th commit, step 2k-1 is the moment before it and step 2k the
/// moment after it, when nobody has been answered yet.
pub(super) struct Countdown {
    /// Steps that are left; none when the process is to live.
    left: Option<u64>,
}

impl Countdown {
    /// The step that the environment names, counted from 1; any other text means none.
    pub(super) fn from_environment() -> Self {
        let step = std::env::var(VARIABLE).ok();
        let left = step.and_then(|step| step.parse().ok());
        Self {
            left: left.filter(|step| *step > 0),
        }
    }

    /// Counts one step, and kills the process at the chosen one.
    pub(super) fn step(&mut self) {
        let Some(left) = &mut self.left else {
            return;
        };
        *left = left.saturating_sub(1);
        if *left == 0 {
            std::process::abort();
        }
    }
}
