-- Events for open sockets go through the change log: what has become of an object, as JSON.
ALTER TABLE changes ADD COLUMN data TEXT;
-- Whether a server has open sockets: while none has, nobody writes events.
ALTER TABLE followers ADD COLUMN listens BOOLEAN NOT NULL DEFAULT FALSE;
