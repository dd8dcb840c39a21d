//! Delivery reports ("Plivo: Message status callbacks" page).

use super::callback::{Callback, Form};
use super::message::{Message, Step};
use super::number::is_north_american;
use super::response::uuid;
use super::time;

impl Message {
    /// The reports of a message to a phone, one for each part and each state, and when each is sent.
    pub(super) fn reports(&self) -> Vec<(i64, Callback)> {
        let Some(target) = self.callback() else { return Vec::new() };
        let parts: Vec<_> =
            (0..self.price().0).map(|index| if index == 0 { self.uuid.clone() } else { uuid() }).collect();
        let steps = self.steps();
        let report = |(sequence, step): (usize, &Step)| {
            let of_part = |(index, part): (usize, &String)| {
                let place = (format!("{} of {}", index + 1, parts.len()), sequence + 1);
                (step.at, Callback::new(target, self.report(&steps, step, part, place)))
            };
            parts.iter().enumerate().map(of_part).collect::<Vec<_>>()
        };
        steps.iter().enumerate().flat_map(report).collect()
    }

    fn report(&self, steps: &[Step], step: &Step, part: &str, (part_info, sequence): (String, usize)) -> Form {
        let (units, rate, amount) = self.price();
        let (country, network) = if is_north_american(&self.to) { ("310", "260") } else { ("001", "01") };
        let mut form = vec![
            ("MessageUUID", part.to_owned()),
            ("ParentMessageUUID", self.uuid.clone()),
            ("PartInfo", part_info),
            ("Sequence", sequence.to_string()),
            ("From", self.sender_number().unwrap_or_default().to_owned()),
            ("To", self.to.clone()),
            ("Type", self.kind().to_owned()),
            ("Status", step.state.to_owned()),
            ("Units", units.to_string()),
            ("TotalRate", rate),
            ("TotalAmount", amount),
            ("MCC", country.to_owned()),
            ("MNC", network.to_owned()),
            ("ErrorCode", step.error.map_or_else(|| "000".to_owned(), |error| error.to_string())),
            ("MessageTime", time::format_local(self.created)),
            ("QueuedTime", time::format_local(self.created)),
            ("PowerpackUUID", self.powerpack_id().unwrap_or_default().to_owned()),
            ("requester_ip", "127.0.0.1".to_owned()),
        ];
        if let Some(sent) = steps.iter().find(|sent| sent.state == "sent" && sent.at <= step.at) {
            form.push(("SentTime", time::format_local(sent.at)));
        }
        if !["queued", "sent"].contains(&step.state) {
            form.push(("DeliveryReportTime", time::format_local(step.at)));
        }
        form
    }
}
