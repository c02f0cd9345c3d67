package incident

import "time"

// HostWindow is what left one address of one's own in one of several windows of equal length.
type HostWindow struct {
	IP string `json:"ip"`
	// Window is its number, from 0.
	Window int `json:"window"`
	// BytesOut is what left; Unseen says that no sensor saw what the host sent, so that it is unknown.
	BytesOut int64 `json:"bytes_out" unit:"size"`
	Unseen   bool  `json:"unseen,omitempty"`
}

// HostService is what left one address of one's own by one service in a window, to all peers outside.
type HostService struct {
	IP string `json:"ip"`
	// Port is the peers' where the host Opened the flows, and else its own, from which it answers.
	Port      int64  `json:"port"`
	Transport string `json:"transport"`
	Opened    bool   `json:"opened"`

	BytesOut   int64 `json:"bytes_out" unit:"size"`
	BytesIn    int64 `json:"bytes_in" unit:"size"`
	PacketsOut int64 `json:"packets_out"`
	Flows      int64 `json:"flows"`
	// Unseen says that no sensor saw what was sent: bytes and packets out are unknown.
	Unseen bool `json:"unseen,omitempty"`
	// Peers is how many there are, Peer the one that was sent most, with its bytes.
	Peers     int64  `json:"peers"`
	Peer      string `json:"peer"`
	PeerBytes int64  `json:"peer_bytes" unit:"size"`
	// Sensors are those that saw some of it, by name.
	Sensors []string `json:"sensors"`
	// First and Last are within the window.
	First time.Time `json:"first"`
	Last  time.Time `json:"last"`
}
