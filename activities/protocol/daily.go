package protocol

// DailyInput says where the daily digest of active leases is sent.
type DailyInput struct {
	Use     string `json:"use"`
	Channel string `json:"channel"`
	Queue   string `json:"queue,omitempty"`
	// At is the time of day, 15:04, in the time zone Zone.
	At   string `json:"at"`
	Zone string `json:"zone"`
}
