package flowlog

import "github.com/stanch-soar/stanch/integrations/flowmath"

// session finishes the last record, which is of both directions. Where what one end sent is not known, each
// direction becomes a record of its own: else that end would have sent nothing at all.
func (e *Entry) session() {
	if rec := &e.Records[len(e.Records)-1]; !volume(rec.Orig) || !volume(rec.Resp) {
		e.apart()
	}
}

// apart makes the last record, which is of both directions, one of each: such records add up, where those of
// whole sessions are the same session again.
func (e *Entry) apart() {
	i := len(e.Records) - 1
	rec := e.Records[i]
	back := reversed(rec)
	back.Orig, back.Resp = rec.Resp, flowmath.Unseen()
	back.Device, back.User = "", ""
	rec.Resp = flowmath.Unseen()
	rec.Single, back.Single = true, true
	e.Records = e.Records[:i]
	for _, r := range [...]flowmath.Record{rec, back} {
		if r.Orig.Bytes != 0 && r.Orig.IPBytes != 0 {
			e.Records = append(e.Records, r)
		}
	}
}

// volume reports whether the side has a counter of bytes.
func volume(s flowmath.Side) bool { return s.Bytes >= 0 || s.IPBytes >= 0 }

// reversed returns the record with its ends exchanged and its counters as they are.
func reversed(r flowmath.Record) flowmath.Record {
	r.Src, r.Dst, r.SrcPort, r.DstPort = r.Dst, r.Src, r.DstPort, r.SrcPort
	return r
}
