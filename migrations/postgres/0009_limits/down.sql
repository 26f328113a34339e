DROP TABLE recovery_codes;
DROP TABLE two_factor;
DROP TABLE known_addresses;
DROP TABLE sign_in_failures;
