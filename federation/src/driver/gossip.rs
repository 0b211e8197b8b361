//! Gossip between admitted nodes.

use libp2p::PeerId;
use libp2p::gossipsub::{self, IdentTopic, MessageAcceptance, MessageId};
use vettid_wire::limits;
use vettid_wire::topic::Topic;

use super::OUTBOX;
use super::state::Driver;
use crate::behaviour::Gossip;
use crate::event::{Event, GossipId, Verdict};

impl Driver {
    pub(super) fn publish(&mut self, topic: Topic, object: Vec<u8>) {
        if object.len() > limits::GOSSIP {
            return;
        }
        let topic = IdentTopic::new(topic.name(&self.config.network));
        if let Some(gossip) = self.gossip() {
            // Nobody may be there to hear it, or all have heard it.
            let _ = gossip.publish(topic, object);
        }
    }

    pub(super) fn judge(&mut self, message: GossipId, verdict: Verdict) {
        let acceptance = match verdict {
            Verdict::Accept => MessageAcceptance::Accept,
            Verdict::Ignore => MessageAcceptance::Ignore,
            Verdict::Reject => {
                self.metrics.gossip_rejected.inc();
                MessageAcceptance::Reject
            }
        };
        let Ok(from) = PeerId::from_bytes(&message.from) else {
            return;
        };
        if let Some(gossip) = self.gossip() {
            let id = MessageId::new(&message.message);
            gossip.report_message_validation_result(&id, &from, acceptance);
        }
    }

    pub(super) fn on_gossip(&mut self, event: gossipsub::Event) {
        let gossipsub::Event::Message {
            propagation_source,
            message_id,
            message,
        } = event
        else {
            return;
        };
        self.metrics.gossip_received.inc();
        let id = GossipId {
            message: message_id.0,
            from: propagation_source.to_bytes(),
        };
        let name = message.topic.as_str();
        let network = &self.config.network;
        let topic = Topic::ALL.into_iter().find(|t| t.name(network) == name);
        match topic {
            Some(topic) if message.data.len() <= limits::GOSSIP => {
                // Gossip gives way to everything else.
                if self.outbox.len() > OUTBOX / 2 {
                    self.judge(id, Verdict::Ignore);
                    return;
                }
                self.tell(Event::Gossip {
                    message: id,
                    topic,
                    bytes: message.data,
                });
            }
            _ => self.judge(id, Verdict::Reject),
        }
    }

    fn gossip(&mut self) -> Option<&mut Gossip> {
        let gossip = self.swarm.behaviour_mut().gossip.as_mut()?;
        Some(gossip.inner())
    }
}
