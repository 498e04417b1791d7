/// Why a definition is not sound, or a step is not taken.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum CivicError {
    #[error("the definition cannot be read: {0}")]
    Unreadable(String),
    #[error("definition `{definition}`: {reason}")]
    Unsound { definition: String, reason: String },
    #[error("there is no step `{step}`")]
    NoStep { step: String },
    /// The step is known, and not open in this state.
    #[error("`{step}` cannot be taken while the case is `{state}`")]
    NotNow { step: String, state: String },
    #[error("`{step}` is taken by the role `{needed}`, not by `{given}`")]
    WrongRole { step: String, needed: String, given: String },
    #[error("`{step}` wants a reason")]
    NoReason { step: String },
    #[error("`{step}` wants {what}")]
    Needs { step: String, what: String },
    /// Somebody else was quicker, or the same request came twice.
    #[error("the case has {found} events, the step was asked after {asked}")]
    Stale { asked: u64, found: u64 },
}
