//! What differs between the OpenClaw releases that the stand-in speaks as.

/// A release of the gateway; each stands for an era (openclaw.md 1).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Release {
    /// The last stable release of protocol 3, with JSONL transcripts.
    V2026_5_7,
    /// The last release with JSONL transcripts, protocol 4.
    V2026_7_35,
    /// A current release: protocol 4, transcripts in SQLite, a boot id.
    V2026_9_6,
}

/// `agent` parameters that every one of these releases knows.
const AGENT: [&str; 34] = [
    "message",
    "agentId",
    "provider",
    "model",
    "to",
    "replyTo",
    "sessionId",
    "sessionKey",
    "thinking",
    "deliver",
    "attachments",
    "channel",
    "replyChannel",
    "accountId",
    "replyAccountId",
    "threadId",
    "groupId",
    "groupChannel",
    "groupSpace",
    "timeout",
    "bestEffortDeliver",
    "lane",
    "cleanupBundleMcpOnRunEnd",
    "modelRun",
    "promptMode",
    "extraSystemPrompt",
    "bootstrapContextMode",
    "bootstrapContextRunKind",
    "acpTurnSource",
    "internalEvents",
    "inputProvenance",
    "voiceWakeTrigger",
    "idempotencyKey",
    "label",
];

/// What 2026.7.35 added to them.
const AGENT_SINCE_7: [&str; 7] = [
    "cwd",
    "internalRuntimeHandoffId",
    "execApprovalFollowupExpectedSessionId",
    "suppressPromptPersistence",
    "sessionEffects",
    "sourceReplyDeliveryMode",
    "disableMessageTool",
];

/// What 2026.9.6 added to those.
const AGENT_SINCE_9: [&str; 7] = [
    "expectedExistingSessionId",
    "internalExecutionIdentityRetry",
    "internalExecutionIdentityRecoveryAttempt",
    "swarmCollector",
    "swarmOutputSchema",
    "forceRestartSafeTools",
    "forceCodeModeTools",
];

/// The parameters of `chat.send` that every release knows.
const CHAT: [&str; 14] = [
    "sessionKey",
    "sessionId",
    "message",
    "thinking",
    "deliver",
    "originatingChannel",
    "originatingTo",
    "originatingAccountId",
    "originatingThreadId",
    "attachments",
    "timeoutMs",
    "systemInputProvenance",
    "systemProvenanceReceipt",
    "idempotencyKey",
];

/// What 2026.7.35 added to them.
const CHAT_SINCE_7: [&str; 5] = [
    "agentId",
    "fastMode",
    "fastAutoOnSeconds",
    "suppressCommandInterpretation",
    "expectedSessionRoutingContract",
];

/// What 2026.9.6 added to those.
const CHAT_SINCE_9: [&str; 9] = [
    "mentions",
    "workContext",
    "intent",
    "queueMode",
    "replyToId",
    "toolBindings",
    "expectedLeafEntryId",
    "expectedPermissionMode",
    "expectedToolOverrides",
];

impl Release {
    /// All of them, oldest first.
    pub const ALL: [Self; 3] = [Self::V2026_5_7, Self::V2026_7_35, Self::V2026_9_6];

    /// The version as the hello frame says it.
    pub const fn version(self) -> &'static str {
        match self {
            Self::V2026_5_7 => "2026.5.7",
            Self::V2026_7_35 => "2026.7.35",
            Self::V2026_9_6 => "2026.9.6",
        }
    }

    /// The one protocol version that an operator client must offer.
    pub const fn protocol(self) -> u32 {
        match self {
            Self::V2026_5_7 => 3,
            Self::V2026_7_35 | Self::V2026_9_6 => 4,
        }
    }

    /// Whether sessions are JSONL files beside a `sessions.json`.
    pub const fn keeps_jsonl(self) -> bool {
        match self {
            Self::V2026_5_7 | Self::V2026_7_35 => true,
            Self::V2026_9_6 => false,
        }
    }

    /// Whether SIGTERM lets the runs end first (2026.9.6), or interrupts them.
    pub const fn drains(self) -> bool {
        matches!(self, Self::V2026_9_6)
    }

    /// Whether `agent` has this parameter; another one is an unexpected property.
    pub(super) fn knows_agent_parameter(self, name: &str) -> bool {
        AGENT.contains(&name)
            || (self >= Self::V2026_7_35 && AGENT_SINCE_7.contains(&name))
            || (self >= Self::V2026_9_6 && AGENT_SINCE_9.contains(&name))
    }

    /// Whether `chat.send` has this parameter (openclaw.md 3.1).
    pub(super) fn knows_chat_parameter(self, name: &str) -> bool {
        CHAT.contains(&name)
            || (self >= Self::V2026_7_35 && CHAT_SINCE_7.contains(&name))
            || (self >= Self::V2026_9_6 && CHAT_SINCE_9.contains(&name))
    }

    /// Whether `chat.history` has this parameter.
    pub(super) fn knows_history_parameter(self, name: &str) -> bool {
        match name {
            "sessionKey" | "limit" | "maxChars" => true,
            "agentId" | "offset" => self >= Self::V2026_7_35,
            "inputRunIds" => self >= Self::V2026_9_6,
            _ => false,
        }
    }

    /// What a failed run's message begins with: older releases name the error's class.
    pub(super) const fn failure_prefix(self) -> &'static str {
        match self {
            Self::V2026_5_7 | Self::V2026_7_35 => "FailoverError: ",
            Self::V2026_9_6 => "",
        }
    }

    /// The events of the hello frame, of those that the stand-in emits.
    pub(super) const fn events(self) -> &'static [&'static str] {
        match self {
            Self::V2026_5_7 => &["connect.challenge", "agent", "chat", "tick", "shutdown"],
            Self::V2026_7_35 | Self::V2026_9_6 => &[
                "connect.challenge",
                "agent",
                "chat",
                "tick",
                "shutdown",
                "task",
            ],
        }
    }
}
