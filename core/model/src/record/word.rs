//! The closed word lists of records (rs.md §2): text on the wire, a small number in tables.
//!
//! The numbers are what databases store and direct SQL readers join on, so a number is never
//! given to another word. Nothing here is tolerant: a word is one of the list or it is not.

use std::fmt;

use serde::{Serialize, Serializer};

macro_rules! words {
    ($(#[$doc:meta])* $name:ident {
        $($(#[$word_doc:meta])* $word:ident = $number:literal $text:literal,)+
    }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
        pub enum $name {
            $($(#[$word_doc])* #[doc = concat!(" On the wire `", $text, "`.")] $word = $number,)+
        }

        impl $name {
            /// All words, in the order of their numbers: the lookup table.
            pub const ALL: &'static [Self] = &[$(Self::$word),+];

            /// The word on the wire; case matters.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self {
                    $(Self::$word => $text,)+
                }
            }

            /// The number in tables.
            #[must_use]
            pub const fn number(self) -> u8 {
                self as u8
            }

            /// The word of this text, if it is one.
            #[must_use]
            pub fn parse(text: &str) -> Option<Self> {
                Self::ALL.iter().copied().find(|word| word.as_str() == text)
            }

            /// The word of this number, if it is one.
            #[must_use]
            pub fn from_number(number: u8) -> Option<Self> {
                Self::ALL.iter().copied().find(|word| word.number() == number)
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.pad(self.as_str())
            }
        }

        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.serialize_str(self.as_str())
            }
        }
    };
}

words! {
    /// What a record tells (rs.md §1.3).
    Kind {
        /// A call's start, update or end.
        Cdr = 1 "cdr",
        /// An event of a call.
        CallEvent = 2 "call.event",
        /// Reporting of a voice application.
        Var = 3 "var",
        /// Arrivals of a bin.
        Arrivals = 4 "or.arrivals",
        /// Concurrency of a bin.
        Peaks = 5 "or.peaks",
        /// Outbound totals.
        Outbound = 6 "or.outbound",
        /// Figures of a MIB.
        Snmp = 7 "or.snmp",
        /// The books of a minute.
        Integrity = 8 "or.integrity",
        /// Response times.
        Latency = 9 "sq.latency",
        /// Quality of a call.
        SqCall = 10 "sq.call",
    }
}

words! {
    /// The stream that a producer's sequence counts in; one queue each (rs.md §1.3).
    Stream {
        /// Kind `cdr`.
        Cdr = 1 "cdr",
        /// Kinds `call.event` and `var`.
        Event = 2 "event",
        /// Kinds `or.*`.
        Or = 3 "or",
        /// Kinds `sq.*`.
        Sq = 4 "sq",
    }
}

words! {
    /// What a component is (rs.md §2.1).
    ComponentType {
        /// Resource Manager.
        Rm = 1 "RM",
        /// Media server.
        Mcp = 2 "MCP",
        /// CCXML server.
        Ccp = 3 "CCP",
        /// CTI connector.
        Ctic = 4 "CTIC",
        /// PSTN connector.
        Pstnc = 5 "PSTNC",
        /// Outbound gateway.
        Ssg = 6 "SSG",
        /// Anything else that sends records.
        Other = 7 "OTHER",
    }
}

words! {
    /// Part of a call's life (rs.md §2.2); the numbers are the merge order of rs.md §2.9.
    Phase {
        /// The call began.
        Start = 0 "start",
        /// Something changed.
        Update = 1 "update",
        /// The call ended.
        End = 2 "end",
    }
}

words! {
    /// Direction of a call (rs.md §2.2); the last three are CCP's.
    CallType {
        /// From outside.
        Inbound = 1 "INBOUND",
        /// To outside.
        Outbound = 2 "OUTBOUND",
        /// From a resource to a media service.
        Bridged = 3 "BRIDGED",
        /// Not known.
        Unknown = 4 "UNKNOWN",
        /// CCP: a new call.
        NewCall = 5 "NEWCALL",
        /// CCP: started from outside.
        External = 6 "EXTERNAL",
        /// CCP: started by another session.
        CreateCcxml = 7 "CREATECCXML",
    }
}

words! {
    /// How a call ended (rs.md §2.3).
    EndState {
        /// The calling or outside party ended it.
        UserEnd = 1 "USER_END",
        /// Media side or application ended it.
        AppEnd = 2 "APP_END",
        /// It was transferred away.
        Transferred = 3 "TRANSFERRED",
        /// RM or the media server refused it.
        Rejected = 4 "REJECTED",
        /// The caller gave up before the answer.
        Cancelled = 5 "CANCELLED",
        /// Nobody answered.
        NoAnswer = 6 "NO_ANSWER",
        /// It reached its longest time.
        MaxDuration = 7 "MAX_DURATION",
        /// An operator, or the deadline of a drain, ended it.
        OperatorEnd = 8 "OPERATOR_END",
        /// The platform cut it.
        SystemError = 9 "SYSTEM_ERROR",
        /// Its owner died and no node heard it again.
        Interrupted = 10 "INTERRUPTED",
        /// Presumed ended.
        Timeout = 11 "TIMEOUT",
        /// Not known; the reason holds the text that was sent.
        Unknown = 12 "UNKNOWN",
    }
}

words! {
    /// Whose figure or limit it is (rs.md §2.2 `usage`, `policy`).
    Scope {
        /// A tenant's.
        Tenant = 1 "tenant",
        /// A profile's.
        Profile = 2 "profile",
    }
}

words! {
    /// Stage of a call's way that took a step of the trace (rs.md §2.2).
    Stage {
        /// Number to tenant and profile.
        Select = 1 "select",
        /// Limits and rules.
        Authorise = 2 "authorise",
        /// Choice of a resource.
        Place = 3 "place",
        /// A try.
        Forward = 4 "forward",
    }
}

words! {
    /// What a step of the trace said (rs.md §2.2).
    Verdict {
        /// The candidate won.
        Chosen = 1 "chosen",
        /// A limit or rule let it pass.
        Passed = 2 "passed",
        /// A limit or rule said no.
        Refused = 3 "refused",
        /// The candidate could not be used.
        Skipped = 4 "skipped",
        /// The try failed.
        Failed = 5 "failed",
        /// Further candidates were left out.
        Cut = 6 "cut",
    }
}

words! {
    /// What chose the profile (rm.md §9.2).
    SelectedBy {
        /// The inbound gateway's own profile.
        Gateway = 1 "gateway",
        /// Headers of SIP Server.
        Headers = 2 "headers",
        /// The parameter `gvp-tenant-id`.
        GvpTenantId = 3 "gvp-tenant-id",
        /// The dialled number.
        Did = 4 "did",
        /// The tenant's default.
        Default = 5 "default",
        /// The session that the leg joined.
        Joined = 6 "joined",
    }
}

words! {
    /// Why RM wrote an update (rm.md §9.2).
    UpdateReason {
        /// A session refresh failed.
        RefreshFailed = 1 "refresh-failed",
        /// Another node took the leg over.
        Adopted = 2 "adopted",
        /// The leg moved to another resource.
        ResourceChanged = 3 "resource-changed",
        /// Time had passed.
        Interval = 4 "interval",
    }
}

words! {
    /// Weight of a call event (rs.md §2.4).
    Level {
        /// A metric.
        Metric = 1 "METRIC",
        /// Critical.
        Critical = 2 "CRITICAL",
        /// Error.
        Error = 3 "ERROR",
        /// Warning.
        Warning = 4 "WARNING",
        /// Note.
        Note = 5 "NOTE",
        /// Information.
        Info = 6 "INFO",
        /// Debugging.
        Debug = 7 "DEBUG",
    }
}

words! {
    /// Verb of a structured VAR record (rs.md §2.5).
    Verb {
        /// An action begins.
        ActionStart = 1 "action_start",
        /// An action ends.
        ActionEnd = 2 "action_end",
        /// Result of the call.
        CallResult = 3 "call_result",
        /// Notes on the call.
        CallNotes = 4 "call_notes",
        /// Notes on an action.
        ActionNotes = 5 "action_notes",
        /// A custom variable.
        Custom = 6 "custom",
    }
}

words! {
    /// Result of a call or an action as a voice application reports it (rs.md §2.5).
    VarResult {
        /// It did what it should.
        Success = 1 "SUCCESS",
        /// It did not.
        Failed = 2 "FAILED",
        /// Nobody said.
        Unknown = 3 "UNKNOWN",
        /// Set by RS only: the call was refused.
        Rejected = 4 "REJECTED",
    }
}

words! {
    /// Whether `or.*` figures stand for themselves (rs.md §2.6).
    Basis {
        /// CDRs exist too: a cross-check, never added to anything.
        Cdr = 1 "cdr",
        /// The figures are the source.
        Own = 2 "own",
    }
}

words! {
    /// What an `or.*` figure is about (rs.md §2.6).
    Dimension {
        /// The component itself.
        Component = 1 "component",
        /// A tenant.
        Tenant = 2 "tenant",
        /// A profile.
        Profile = 3 "profile",
        /// A dialled number.
        Dn = 4 "dn",
        /// A media service.
        Service = 5 "service",
    }
}

words! {
    /// What `or.peaks` measures (rs.md §2.6).
    Measure {
        /// Legs.
        Calls = 1 "calls",
        /// Sessions.
        Sessions = 2 "sessions",
        /// Recognition ports.
        Asr = 3 "asr",
        /// Synthesis ports.
        Tts = 4 "tts",
    }
}

words! {
    /// Kind of a service failure (rs.md §2.7).
    FailureType {
        /// Too slow.
        Latency = 1 "LATENCY",
        /// The application said so.
        AppResult = 2 "APP_RESULT",
        /// A document could not be fetched.
        Fetch = 3 "FETCH",
        /// A document could not be run.
        Execution = 4 "EXECUTION",
        /// A speech server failed.
        Mrcp = 5 "MRCP",
        /// Media failed.
        Media = 6 "MEDIA",
        /// The platform failed.
        System = 7 "SYSTEM",
        /// The call was refused.
        Rejected = 8 "REJECTED",
    }
}

impl Kind {
    /// The stream, and so the queue, of this kind.
    #[must_use]
    pub const fn stream(self) -> Stream {
        match self {
            Self::Cdr => Stream::Cdr,
            Self::CallEvent | Self::Var => Stream::Event,
            Self::Arrivals | Self::Peaks | Self::Outbound | Self::Snmp | Self::Integrity => {
                Stream::Or
            }
            Self::Latency | Self::SqCall => Stream::Sq,
        }
    }
}

impl Stream {
    /// The queue of this stream.
    #[must_use]
    pub const fn queue(self) -> &'static str {
        match self {
            Self::Cdr => "ringmaster.cdr",
            Self::Event => "ringmaster.event",
            Self::Or => "ringmaster.or",
            Self::Sq => "ringmaster.sq",
        }
    }

    /// The stream of a queue's name; `None` if RS takes no records there.
    #[must_use]
    pub fn of_queue(queue: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|stream| stream.queue() == queue)
    }
}

impl EndState {
    /// Whether it was only presumed: such an end ranks below every other (rs.md §2.9 rule 4).
    #[must_use]
    pub const fn is_presumed(self) -> bool {
        matches!(self, Self::Interrupted | Self::Timeout)
    }
}
