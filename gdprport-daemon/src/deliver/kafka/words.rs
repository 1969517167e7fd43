//! What rskafka's errors mean to people.

use rskafka::BackoffError;
use rskafka::client::error::{Error, ProtocolError};

use crate::deliver::{Failure, one_line};

/// What became of a request: a failure of the batch, in words.
pub(super) fn failure(place: &str, error: &Error) -> Failure {
    let too_large = matches!(
        error,
        Error::ServerError {
            protocol_error: ProtocolError::MessageTooLarge | ProtocolError::RecordListTooLarge,
            ..
        }
    );
    Failure { why: one_line(&format!("{place}: {}", words(error))), after: None, too_large }
}

pub(super) fn words(error: &Error) -> String {
    match error {
        Error::ServerError { protocol_error, .. } => match protocol_error {
            ProtocolError::UnknownTopicOrPartition => {
                "the topic does not exist, or this user does not see it".to_owned()
            }
            ProtocolError::TopicAuthorizationFailed => "this user may not write to the topic".to_owned(),
            ProtocolError::ClusterAuthorizationFailed => "this user may not use the cluster".to_owned(),
            ProtocolError::NotEnoughReplicas | ProtocolError::NotEnoughReplicasAfterAppend => {
                "too few replicas are in sync (`min.insync.replicas`)".to_owned()
            }
            ProtocolError::MessageTooLarge | ProtocolError::RecordListTooLarge => {
                "larger than the topic takes (`max.message.bytes`)".to_owned()
            }
            ProtocolError::NotLeaderOrFollower | ProtocolError::LeaderNotAvailable => {
                "the partition has no leader at the moment".to_owned()
            }
            other => format!("the broker says {other}"),
        },
        Error::RetryFailed(BackoffError::DeadlineExceded { source, .. }) => {
            match source.downcast_ref::<Error>() {
                Some(inner) => words(inner),
                None => with_login(&source.to_string()),
            }
        }
        other => with_login(&other.to_string()),
    }
}

fn with_login(text: &str) -> String {
    if text.contains("Sasl") || text.contains("SASL") {
        format!("the broker does not accept this login (`sasl`, `user`, `password`): {text}")
    } else {
        text.to_owned()
    }
}
