package upgrade

// Asked is for tests that cut histories.
var Asked = asked
