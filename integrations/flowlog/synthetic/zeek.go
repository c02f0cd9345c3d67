package synthetic

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
)

// Log is a flow log to be written. Note is its origin; it is in the log after the
// word SYNTHETIC. UID begins the names of its flows.
type Log struct {
	Note, UID string
	Flows     []Flow
}

// header is what one packet's IP and TCP or UDP headers take here.
const header = 40

// WriteTSV writes Zeek's conn.log in its own form.
func (l Log) WriteTSV(w io.Writer) error {
	b := bufio.NewWriter(w)
	fmt.Fprintf(b, "#separator \\x09\n#set_separator\t,\n#empty_field\t(empty)\n#unset_field\t-\n#path\tconn\n"+
		"#comment\tSYNTHETIC: %s\n"+
		"#fields\tts\tuid\tid.orig_h\tid.orig_p\tid.resp_h\tid.resp_p\tproto\tservice\tduration\torig_bytes\tresp_bytes"+
		"\tconn_state\thistory\torig_pkts\torig_ip_bytes\tresp_pkts\tresp_ip_bytes\n"+
		"#types\ttime\tstring\taddr\tport\taddr\tport\tenum\tstring\tinterval\tcount\tcount"+
		"\tstring\tstring\tcount\tcount\tcount\tcount\n", l.Note)
	for i, f := range l.Flows {
		service := f.Service
		if service == "" {
			service = "-"
		}
		fmt.Fprintf(b, "%s\t%s%05d\t%s\t%d\t%s\t%d\t%s\t%s\t%.6f\t%d\t%d\t%s\t%s\t%d\t%d\t%d\t%d\n",
			f.seconds(), l.UID, i, f.Src, f.SrcPort, f.Dst, f.DstPort, f.Transport, service, f.Duration.Seconds(),
			f.Out, f.In, f.State, f.History, f.PacketsOut, f.Out+header*f.PacketsOut, f.PacketsIn, f.In+header*f.PacketsIn)
	}
	return b.Flush()
}

// line is one flow in Zeek's JSON. Its first member is not a field of Zeek's.
type line struct {
	Synthetic  string      `json:"synthetic"`
	TS         json.Number `json:"ts"`
	UID        string      `json:"uid"`
	OrigH      string      `json:"id.orig_h"`
	OrigP      uint16      `json:"id.orig_p"`
	RespH      string      `json:"id.resp_h"`
	RespP      uint16      `json:"id.resp_p"`
	Proto      string      `json:"proto"`
	Service    string      `json:"service,omitempty"`
	Duration   json.Number `json:"duration"`
	OrigBytes  int64       `json:"orig_bytes"`
	RespBytes  int64       `json:"resp_bytes"`
	State      string      `json:"conn_state"`
	History    string      `json:"history"`
	OrigPkts   int64       `json:"orig_pkts"`
	OrigIPSize int64       `json:"orig_ip_bytes"`
	RespPkts   int64       `json:"resp_pkts"`
	RespIPSize int64       `json:"resp_ip_bytes"`
}

// WriteJSON writes Zeek's conn.log as one JSON object a line.
func (l Log) WriteJSON(w io.Writer) error {
	b := bufio.NewWriter(w)
	e := json.NewEncoder(b)
	for i, f := range l.Flows {
		err := e.Encode(line{
			Synthetic: l.Note, TS: json.Number(f.seconds()), UID: fmt.Sprintf("%s%05d", l.UID, i),
			OrigH: f.Src.String(), OrigP: f.SrcPort, RespH: f.Dst.String(), RespP: f.DstPort,
			Proto: f.Transport, Service: f.Service, Duration: json.Number(fmt.Sprintf("%.6f", f.Duration.Seconds())),
			OrigBytes: f.Out, RespBytes: f.In, State: f.State, History: f.History,
			OrigPkts: f.PacketsOut, OrigIPSize: f.Out + header*f.PacketsOut, RespPkts: f.PacketsIn, RespIPSize: f.In + header*f.PacketsIn,
		})
		if err != nil {
			return fmt.Errorf("write flow %d: %w", i, err)
		}
	}
	return b.Flush()
}

// seconds is the start as Zeek writes it.
func (f Flow) seconds() string {
	at := f.At.UnixMicro()
	return fmt.Sprintf("%d.%06d", at/1e6, at%1e6)
}
