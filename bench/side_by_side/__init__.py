"""What `bench/compare` is made of: the brokers, the loads, and the table that comes of them."""
