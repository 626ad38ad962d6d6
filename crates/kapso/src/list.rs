//! Reading Kapso's message list (kapso.md 3.1, 3.2): newest first, paged by opaque cursors.

use std::cmp::Reverse;
use std::collections::HashSet;
use std::time::Duration;

use model::{Arrival, Identity, MessageId, NumberId, Outgoing, Source, Timestamp};
use reqwest::Url;
use reqwest::header::HeaderMap;
use serde_json::value::RawValue;
use tokio::time::Instant;

use crate::quota::Told;
use crate::wire::unread::{elements, is_list, pick, text};
use crate::wire::{self, Listed, Sent};
use crate::{Call, Client, Error};

/// The most pages that are followed: fifty thousand messages, more than any number receives in a look-back.
pub const MAX_PAGES: usize = 500;

/// How often a read begins anew because Kapso's clock was found to be behind; once is enough for one that stands still.
const MOST_TRIES: usize = 4;

/// The most items that Kapso puts on a page.
const PAGE: u8 = 100;

/// The most items that are read of a page. A longer one is an error: its end would be lost.
const MOST_ITEMS: usize = 10_000;

/// Which way a message went.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Direction {
    /// From a person to the business number.
    Inbound,
    /// From the business number to a person.
    Outbound,
}

impl Direction {
    fn name(self) -> &'static str {
        match self {
            Self::Inbound => "inbound",
            Self::Outbound => "outbound",
        }
    }
}

/// What to list. The times are those of Kapso's record, not of WhatsApp's message: a late message has a new record
/// with an old time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListQuery {
    /// One direction, or both.
    pub direction: Option<Direction>,
    /// The earliest record; counts in whole seconds, inclusive.
    pub since: Option<Timestamp>,
    /// The latest record; counts in whole seconds, inclusive.
    pub until: Option<Timestamp>,
    /// Items per page, 1 to 100.
    pub limit: u8,
    /// The cursor at the end of the page before.
    pub after: Option<String>,
}

impl Default for ListQuery {
    fn default() -> Self {
        Self {
            direction: None,
            since: None,
            until: None,
            limit: PAGE,
            after: None,
        }
    }
}

impl ListQuery {
    fn of(direction: Direction, since: Timestamp) -> Self {
        Self {
            direction: Some(direction),
            since: Some(since),
            ..Self::default()
        }
    }

    /// The list's address with this query.
    fn address(&self, messages: &Url) -> Url {
        let mut url = messages.clone();
        {
            let mut query = url.query_pairs_mut();
            if let Some(direction) = self.direction {
                query.append_pair("direction", direction.name());
            }
            if let Some(since) = self.since {
                query.append_pair("since", &rfc3339(since.as_millis().div_euclid(1000)));
            }
            if let Some(until) = self.until {
                let seconds = until.as_millis().saturating_add(999).div_euclid(1000);
                query.append_pair("until", &rfc3339(seconds));
            }
            query.append_pair("limit", &self.limit.clamp(1, PAGE).to_string());
            if let Some(after) = &self.after {
                query.append_pair("after", after);
            }
        }
        // All of Kapso's own fields. Written out, because form encoding leaves the star as it is.
        let mut query = url.query().unwrap_or_default().to_owned();
        query.push_str("&fields=kapso%28%2A%29");
        url.set_query(Some(&query));
        url
    }
}

/// `2026-09-01T12:00:00Z`; times that no calendar has become the nearest that it has.
fn rfc3339(seconds: i64) -> String {
    let nearest = match seconds {
        ..0 => jiff::Timestamp::UNIX_EPOCH,
        0.. => jiff::Timestamp::MAX,
    };
    let instant = jiff::Timestamp::from_second(seconds).unwrap_or(nearest);
    format!("{instant:.0}")
}

/// One page of the list.
#[derive(Debug, Clone, PartialEq)]
pub struct Page {
    /// The items as served: newest first.
    pub items: Vec<Listed>,
    /// Where the next, older page begins; none at the end.
    pub after: Option<String>,
}

impl Page {
    /// Reads a page of business number `number`, as its bytes came. `now` dates items without a believable time.
    ///
    /// # Errors
    /// [`Error::Unreadable`] when it is no list of messages, or a longer one than was asked for; an element that is
    /// no message is no error but an ignored arrival.
    pub fn read(number: &NumberId, body: &[u8], now: Timestamp) -> Result<Self, Error> {
        let unreadable = |what: String| Error::Unreadable {
            call: Call::List,
            what,
        };
        let body: &RawValue = serde_json::from_slice(body).map_err(|error| {
            // Position only: the error's own text could quote the content.
            let (line, column) = (error.line(), error.column());
            unreadable(format!("not JSON (line {line}, column {column})"))
        })?;
        let [data, paging] = pick(body, ["data", "paging"]);
        let data = data
            .filter(|data| is_list(data))
            .ok_or_else(|| unreadable("not a message list".to_owned()))?;
        let elements = elements(data, MOST_ITEMS);
        if elements.beyond > 0 {
            return Err(unreadable(format!("more than {MOST_ITEMS} items")));
        }
        let item = |raw: &RawValue| wire::listed(number, raw, None, Source::Poll, now);
        let [cursors] = paging.map_or([None], |paging| pick(paging, ["cursors"]));
        let [after] = cursors.map_or([None], |cursors| pick(cursors, ["after"]));
        Ok(Self {
            items: elements.taken.into_iter().map(item).collect(),
            after: after.and_then(text),
        })
    }
}

/// What one cheap, authenticated read showed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Health {
    /// How long it took.
    pub took: Duration,
    /// Requests that the plan allows per minute, if Kapso says.
    pub rate_limit: Option<u32>,
    /// How many of them are left, if Kapso says.
    pub rate_remaining: Option<u32>,
}

impl Client {
    /// One page.
    ///
    /// # Errors
    /// [`Error`]; an element that is no message is no error but an ignored arrival.
    pub async fn list(&self, query: &ListQuery) -> Result<Page, Error> {
        self.read_page(query).await.map(|(page, _)| page)
    }

    async fn read_page(&self, query: &ListQuery) -> Result<(Page, HeaderMap), Error> {
        let request = self.http.get(query.address(&self.messages));
        let answer = self.exchange(Call::List, request, "").await?;
        let page = Page::read(self.number(), &answer.body, self.clock.now())?;
        Ok((page, answer.headers))
    }

    /// Every item that `query` finds, over all pages, as served: newest first.
    async fn list_all(&self, mut query: ListQuery) -> Result<Vec<Listed>, Error> {
        let mut items = Vec::new();
        let mut cursors = HashSet::new();
        for _ in 0..MAX_PAGES {
            let page = self.list(&query).await?;
            let last = page.items.is_empty();
            items.extend(page.items);
            match page.after {
                Some(after) if !last => {
                    if !cursors.insert(after.clone()) {
                        return Err(Error::PagingLoop);
                    }
                    query.after = Some(after);
                }
                Some(_) | None => return Ok(items),
            }
        }
        Err(Error::TooManyPages)
    }

    /// Every item that was recorded at `since` or later by our clock, wherever Kapso's own stands.
    async fn list_since(
        &self,
        direction: Direction,
        since: Timestamp,
    ) -> Result<Vec<Listed>, Error> {
        let mut allowed = self.lag().most();
        for _ in 0..MOST_TRIES {
            let query = ListQuery::of(direction, since.earlier(allowed));
            let items = self.list_all(query).await?;
            // The answer itself may be what tells that Kapso's clock is behind.
            if !self.lag().exceeds(allowed) {
                return Ok(items);
            }
            allowed = self.lag().most();
        }
        Err(Error::Unreadable {
            call: Call::List,
            what: "Kapso's clock does not come to rest".to_owned(),
        })
    }

    /// What came in and was recorded by Kapso at `since` or later, by our clock, oldest first; messages of one second in the
    /// order in which Kapso recorded them.
    ///
    /// # Errors
    /// [`Error`], also when a later page fails: then nothing is returned, because the oldest items are missing.
    pub async fn list_inbound_since(&self, since: Timestamp) -> Result<Vec<Arrival>, Error> {
        let items = self.list_since(Direction::Inbound, since).await?;
        self.lag().listed();
        Ok(oldest_first(items)
            .into_iter()
            .map(|item| item.arrival)
            .collect())
    }

    /// Messages that went to the recipient of `outgoing` with its very words, recorded at `since` or later, oldest
    /// first. There can be several: an agent may say the same twice.
    ///
    /// # Errors
    /// [`Error`]; then nothing is known about the message.
    pub async fn find_sent(
        &self,
        outgoing: &Outgoing,
        since: Timestamp,
    ) -> Result<Vec<MessageId>, Error> {
        let items = self.list_since(Direction::Outbound, since).await?;
        Ok(oldest_first(items)
            .into_iter()
            .filter_map(|item| item.sent)
            .filter(|sent| is_same(sent, outgoing))
            .map(|sent| sent.id)
            .collect())
    }

    /// One cheap, authenticated read, which shows that Kapso is there, takes the key, and knows the number.
    ///
    /// # Errors
    /// [`Error`]; its class says whether the operator must act.
    pub async fn check(&self) -> Result<Health, Error> {
        let begun = Instant::now();
        let query = ListQuery {
            limit: 1,
            ..ListQuery::default()
        };
        let (_, headers) = self.read_page(&query).await?;
        let told = Told::read(&headers);
        Ok(Health {
            took: begun.elapsed(),
            rate_limit: told.limit,
            rate_remaining: told.remaining,
        })
    }
}

/// Sorts what was served newest first; within a second, the later position is the older message.
fn oldest_first(items: Vec<Listed>) -> Vec<Listed> {
    let mut placed: Vec<(usize, Listed)> = items.into_iter().enumerate().collect();
    placed.sort_by_key(|(position, item)| (item.at, Reverse(*position)));
    placed.into_iter().map(|(_, item)| item).collect()
}

/// WhatsApp drops white space around a text, so it does not count.
fn is_same(sent: &Sent, outgoing: &Outgoing) -> bool {
    let to = outgoing.to.canonical();
    let text = sent.text.as_deref().unwrap_or_default().trim();
    text == outgoing.body.text().trim()
        && sent.to.iter().map(Identity::canonical).any(|it| it == to)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_query_is_whole_seconds_and_percent_encoded() {
        let query = ListQuery {
            direction: Some(Direction::Inbound),
            since: Some(Timestamp::from_millis(1_788_264_000_900)),
            until: Some(Timestamp::from_millis(1_788_264_000_900)),
            limit: 200,
            after: Some("eyJ2/+a=&b=".to_owned()),
        };
        let url = query.address(&"http://localhost/1/messages".parse().unwrap());
        assert_eq!(
            url.query().unwrap(),
            "direction=inbound&since=2026-09-01T12%3A00%3A00Z&until=2026-09-01T12%3A00%3A01Z&limit=100\
             &after=eyJ2%2F%2Ba%3D%26b%3D&fields=kapso%28%2A%29"
        );
    }

    #[test]
    fn a_time_beyond_the_calendar_is_still_a_time() {
        assert_eq!(rfc3339(i64::MIN), "1970-01-01T00:00:00Z");
        assert!(rfc3339(i64::MAX).starts_with("9999-12-3"));
    }
}
