package incident

import "time"

// HostTraffic is what one host sent in a window, for hunting.
type HostTraffic struct {
	IP           string          `json:"ip"`
	BytesOut     Value[int64]    `json:"bytes_out" unit:"size"`
	BytesIn      Value[int64]    `json:"bytes_in" unit:"size"`
	Flows        int64           `json:"flows"`
	Destinations int64           `json:"destinations"`
	Top          TopFlow         `json:"top"`
	Coverage     Value[Coverage] `json:"coverage"`
}

// Survey is what the records of a flow store can show.
type Survey struct {
	// Records is how many there are in the window.
	Records int64 `json:"records"`
	// Newest is the newest record of any host up to the window's end; zero when
	// there is none. A store whose newest record is older than that is stale, not
	// quiet.
	Newest time.Time `json:"newest,omitzero"`
	// FastClocks are sensors with records of the future.
	FastClocks []FastClock `json:"fast_clocks,omitempty"`
	// AtLeast says why volumes are the least that was sent, where the store holds
	// longer flows than it looks for.
	AtLeast string `json:"at_least,omitempty"`
	// Coverage is the worst that holds for the window.
	Coverage Coverage `json:"coverage,omitempty"`
	// Damaged is how many lines could not be read, in the files that may cover
	// the window, or how many addresses in a table: what they held is missing in
	// every answer. Only a store that reads what others wrote has any.
	Damaged int64 `json:"damaged,omitempty"`
	// Sensors are those that the records name.
	Sensors []Sensor `json:"sensors,omitempty"`
}

// Sensor is one source of flow records.
type Sensor struct {
	Name    string `json:"name"`
	Records int64  `json:"records"`
	// Sampling is one packet in so many; 1 is every packet, 0 is not known.
	Sampling int64 `json:"sampling,omitempty"`
	// NoPackets and NoRate are how many of the records have no volume: those
	// without a packet, and those of which the sampling rate was not said.
	NoPackets int64     `json:"no_packets,omitempty"`
	NoRate    int64     `json:"no_rate,omitempty"`
	OneWay    bool      `json:"one_way,omitempty"`
	Newest    time.Time `json:"newest"`
}
