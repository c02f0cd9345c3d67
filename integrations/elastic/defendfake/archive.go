package defendfake

import (
	"archive/zip"
	"bytes"
	"fmt"
	"hash/crc32"

	"github.com/stanch-soar/stanch/integrations/edrtest"
)

// password is that of every archive.
const password = "elastic"

// pack puts what a script wrote into an archive that opens with the password. Not
// documented: which encryption it has, and what its files are called. Here it is
// the oldest, which every tool reads.
func pack(a edrtest.Action) ([]byte, error) {
	var buffer bytes.Buffer
	w := zip.NewWriter(&buffer)
	for _, f := range []struct{ name, text string }{{"stdout", a.Result.Stdout}, {"stderr", a.Result.Stderr}} {
		sum := crc32.ChecksumIEEE([]byte(f.text))
		sealed := seal([]byte(f.text), byte(sum>>24))
		entry, err := w.CreateRaw(&zip.FileHeader{
			Name: f.name, Method: zip.Store, Flags: 1, CRC32: sum,
			CompressedSize64: uint64(len(sealed)), UncompressedSize64: uint64(len(f.text)),
		})
		if err == nil {
			_, err = entry.Write(sealed)
		}
		if err != nil {
			return nil, fmt.Errorf("pack %s: %w", f.name, err)
		}
	}
	if err := w.Close(); err != nil {
		return nil, fmt.Errorf("pack: %w", err)
	}
	return buffer.Bytes(), nil
}

// keys are the state of the cipher of section 6.1 of PKWARE's APPNOTE.
type keys [3]uint32

func newKeys() *keys {
	k := &keys{0x12345678, 0x23456789, 0x34567890}
	for _, b := range []byte(password) {
		k.update(b)
	}
	return k
}

func (k *keys) update(b byte) {
	crc := func(sum uint32, b byte) uint32 { return crc32.IEEETable[byte(sum)^b] ^ sum>>8 }
	k[0] = crc(k[0], b)
	k[1] = (k[1]+k[0]&0xff)*134775813 + 1
	k[2] = crc(k[2], byte(k[1]>>24))
}

// next is the byte that hides the next one.
func (k *keys) next() byte {
	t := uint16(k[2] | 2)
	return byte((t * (t ^ 1)) >> 8)
}

// seal encrypts a file. Its header ends in a byte of the file's sum, by which a
// reader sees that the password is right.
func seal(text []byte, check byte) []byte {
	k := newKeys()
	header := []byte("not chance!\x00")
	header[11] = check
	out := append(header, text...)
	for i, b := range out {
		out[i] = b ^ k.next()
		k.update(b)
	}
	return out
}
