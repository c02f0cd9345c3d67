package incident

import "time"

// Sender is who sent from an address, as a sensor says that knows its users: a proxy, or a firewall
// with identities. Device and User may each be empty.
type Sender struct {
	IP     string    `json:"ip"`
	Device string    `json:"device,omitempty"`
	User   string    `json:"user,omitempty"`
	Sensor string    `json:"sensor"`
	First  time.Time `json:"first"`
	Last   time.Time `json:"last"`
}

// MaxSenders bounds the senders of one answer.
const MaxSenders = 5
