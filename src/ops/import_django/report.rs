//! What an import did, or would do.

/// How it went with one kind of rows.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// Taken now.
    pub taken: usize,
    /// Taken before.
    pub here: usize,
    /// Why the others cannot be taken, row by row.
    pub refused: Vec<String>,
}

impl Tally {
    /// A row that cannot be taken. The reason holds neither a hash nor a token.
    pub fn refuse(&mut self, why: String) {
        self.refused.push(why);
    }
}

/// What an import did, or would do.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Report {
    /// Groups that became roles.
    pub roles: Tally,
    /// Users.
    pub users: Tally,
    /// Refresh and sliding tokens.
    pub tokens: Tally,
    /// How many of the tokens taken are blacklisted.
    pub blacklisted: usize,
    /// Tokens that expired an hour ago or more: left out.
    pub expired: usize,
    /// Tokens of nobody who is here, which open nothing: left out.
    pub ownerless: usize,
    /// What was changed beside what was taken: accounts that were signed out, sessions of deleted accounts that were ended.
    pub changed: usize,
    /// What of a row that was taken could not be.
    pub notes: Vec<String>,
}

impl Report {
    /// Something of a row that was taken is not as it was there.
    pub fn note(&mut self, what: String) {
        self.notes.push(what);
    }

    /// Whether nothing was there to do.
    pub fn is_empty(&self) -> bool {
        self.roles.taken + self.users.taken + self.tokens.taken + self.changed == 0
    }

    /// How many rows were looked at.
    pub fn seen(&self) -> usize {
        let seen = |tally: &Tally| tally.taken + tally.here + tally.refused.len();
        seen(&self.roles) + seen(&self.users) + seen(&self.tokens) + self.expired + self.ownerless
    }

    /// All of it in lines for people.
    pub fn lines(&self) -> Vec<String> {
        let refused = [&self.roles, &self.users, &self.tokens].into_iter().flat_map(|tally| &tally.refused);
        let mut lines: Vec<String> = refused.map(|why| format!("refused: {why}")).collect();
        lines.extend(self.notes.iter().map(|note| format!("note: {note}")));
        for (what, tally) in [("roles", &self.roles), ("users", &self.users), ("tokens", &self.tokens)] {
            let (taken, here, refused) = (tally.taken, tally.here, tally.refused.len());
            let mut line = format!("{what}: {taken} imported, {here} here already, {refused} refused");
            if what == "tokens" {
                let Self { blacklisted, expired, ownerless, .. } = self;
                line = format!(
                    "{line}; of the imported {blacklisted} are blacklisted; left out: {expired} that have expired, \
                     {ownerless} of nobody who is here"
                );
            }
            lines.push(line);
        }
        lines
    }
}
