package sqlite

import (
	"encoding/binary"
	"errors"
	"net/netip"
	"time"

	"github.com/stanch-soar/stanch/integrations/flowmath"
)

// Flows are stored as bytes, one after the other. Each begins with the fields that
// a query filters by, at fixed offsets, so that the others are skipped unread:
//
//	length  1 byte, of what follows
//	flags   1 byte
//	start   8 bytes, nanoseconds since 1970
//	src     4 or 16 bytes
//	dst     4 or 16 bytes
//	ports   2 + 2 bytes
//	then varints: sensor, duration in microseconds, six counters plus one,
//	sampling (where flagged), and the protocol's name where it is a rare one.
const (
	flagOneWay = 1 << iota
	flagSingle
	flagSampled
	flagWide // addresses of 16 bytes
	flagTCP
	flagUDP
	flagICMP
)

const (
	atFlags = 1
	atStart = 2
	atSrc   = 10
)

var errCorrupt = errors.New("a block of the flow store is damaged")

// appendFlow appends a record that passed its Check.
func appendFlow(b []byte, r *flowmath.Record, sensor uint64) []byte {
	begin := len(b)
	flags := flagsOf(r)
	b = append(b, 0, flags)
	b = binary.BigEndian.AppendUint64(b, uint64(r.Start.UnixNano()))
	if flags&flagWide != 0 {
		src, dst := r.Src.As16(), r.Dst.As16()
		b = append(append(b, src[:]...), dst[:]...)
	} else {
		src, dst := r.Src.As4(), r.Dst.As4()
		b = append(append(b, src[:]...), dst[:]...)
	}
	b = binary.BigEndian.AppendUint16(b, r.SrcPort)
	b = binary.BigEndian.AppendUint16(b, r.DstPort)
	b = binary.AppendUvarint(b, sensor)
	b = binary.AppendUvarint(b, uint64(r.Duration/time.Microsecond))
	for _, s := range [...]flowmath.Side{r.Orig, r.Resp} {
		b = binary.AppendUvarint(b, uint64(s.Bytes+1))
		b = binary.AppendUvarint(b, uint64(s.IPBytes+1))
		b = binary.AppendUvarint(b, uint64(s.Packets+1))
	}
	if flags&flagSampled != 0 {
		b = binary.AppendUvarint(b, uint64(r.Sampling))
	}
	if flags&(flagTCP|flagUDP|flagICMP) == 0 {
		b = append(b, r.Transport...)
	}
	b[begin] = byte(len(b) - begin - 1)
	return b
}

func flagsOf(r *flowmath.Record) byte {
	var flags byte
	if r.OneWay {
		flags |= flagOneWay
	}
	if r.Single {
		flags |= flagSingle
	}
	if r.Sampling != 1 {
		flags |= flagSampled
	}
	if !r.Src.Is4() || !r.Dst.Is4() {
		flags |= flagWide
	}
	switch r.Transport {
	case "tcp":
		flags |= flagTCP
	case "udp":
		flags |= flagUDP
	case "icmp":
		flags |= flagICMP
	}
	return flags
}

// stored is one flow as it is in a block.
type stored []byte

// nextFlow cuts the first flow off a block.
func nextFlow(block []byte) (stored, []byte, error) {
	n := int(block[0]) + 1
	if n > len(block) || n < atSrc+12 || block[atFlags]&flagWide != 0 && n < atSrc+36 {
		return nil, nil, errCorrupt
	}
	return stored(block[:n]), block[n:], nil
}

func (f stored) start() int64 { return int64(binary.BigEndian.Uint64(f[atStart:])) }

// ends returns the two addresses as they are stored.
func (f stored) ends() (src, dst []byte) {
	if f[atFlags]&flagWide != 0 {
		return f[atSrc : atSrc+16], f[atSrc+16 : atSrc+32]
	}
	return f[atSrc : atSrc+4], f[atSrc+4 : atSrc+8]
}

// record decodes the flow. The sensor is its number in the store.
func (f stored) record(r *flowmath.Record) (sensor uint64, err error) {
	flags := f[atFlags]
	src, dst := f.ends()
	r.Src, r.Dst = addrOf(src), addrOf(dst)
	r.Start = time.Unix(0, f.start()).UTC()
	rest := f[atSrc+2*len(src):]
	r.SrcPort, r.DstPort = binary.BigEndian.Uint16(rest), binary.BigEndian.Uint16(rest[2:])
	rest = rest[4:]
	var n [9]uint64
	fields := 8
	if flags&flagSampled != 0 {
		fields = 9
	}
	n[8] = 1
	for i := range fields {
		v, size := binary.Uvarint(rest)
		if size <= 0 {
			return 0, errCorrupt
		}
		n[i], rest = v, rest[size:]
	}
	r.Duration = time.Duration(n[1]) * time.Microsecond
	r.Orig = flowmath.Side{Bytes: int64(n[2]) - 1, IPBytes: int64(n[3]) - 1, Packets: int64(n[4]) - 1}
	r.Resp = flowmath.Side{Bytes: int64(n[5]) - 1, IPBytes: int64(n[6]) - 1, Packets: int64(n[7]) - 1}
	r.Sampling = int64(n[8])
	r.OneWay, r.Single = flags&flagOneWay != 0, flags&flagSingle != 0
	switch {
	case flags&flagTCP != 0:
		r.Transport = "tcp"
	case flags&flagUDP != 0:
		r.Transport = "udp"
	case flags&flagICMP != 0:
		r.Transport = "icmp"
	case len(rest) == 0:
		return 0, errCorrupt
	default:
		r.Transport = string(rest)
	}
	return n[0], nil
}

// addrOf reads an address of 4 or 16 bytes.
func addrOf(b []byte) netip.Addr {
	if len(b) == 4 {
		return netip.AddrFrom4([4]byte(b))
	}
	return netip.AddrFrom16([16]byte(b)).Unmap()
}

// The store is divided by address into so many buckets, and each bucket into
// blocks: a query for one host reads the blocks of one bucket.
const (
	buckets      = 256
	blockRecords = 4096
)

// bucketOf spreads addresses evenly; it is part of the file's format.
func bucketOf(a netip.Addr) int {
	const prime, offset = 1099511628211, 14695981039346656037
	h := uint64(offset)
	b := a.As16()
	for _, c := range b {
		h = (h ^ uint64(c)) * prime
	}
	return int((h ^ h>>32) % buckets)
}
