package elastic

import (
	"archive/zip"
	"bytes"
	"compress/flate"
	"context"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"net/http"
	"strings"

	"github.com/stanch-soar/stanch/integrations"
	"github.com/stanch-soar/stanch/integrations/httpx"
)

// archivePassword opens each archive of Elastic's, as its documents say: it keeps what is in
// there from being run by mistake.
const archivePassword = "elastic"

// archived is the output of a script from the archive that Elastic keeps. Which encryption it
// has, and what its files are called, is not documented: the oldest is read, and a file with
// stderr in its name is that.
func (d *Defend) archived(ctx context.Context, op string, id agentID, a action) (stdout, stderr string, err error) {
	path := actionsPath + "/" + strings.ToLower(a.ID) + "/file/" + strings.ToLower(a.ID) + "." + string(id) + "/download"
	answer, err := d.kibana.ask(ctx, call{op: op, method: http.MethodGet, path: path}, nil, nil)
	if err != nil {
		return "", "", err
	}
	if text := bytes.TrimSpace(answer.Body); len(text) == 0 || bytes.ContainsAny(text[:1], "<{[") {
		return "", "", integrations.Errorf(integrations.Unavailable, op, "Kibana answers with something else than the archive of the output")
	}
	if stdout, stderr, err = unpacked(answer.Body); err != nil {
		return "", "", integrations.Errorf(integrations.Invalid, op, "read the archive: %w", err)
	}
	return stdout, stderr, nil
}

// unpacked are the outputs in an archive.
func unpacked(data []byte) (stdout, stderr string, err error) {
	r, err := zip.NewReader(bytes.NewReader(data), int64(len(data)))
	if err != nil {
		return "", "", fmt.Errorf("it is no archive: %w", err)
	}
	for _, f := range r.File {
		text, err := contentOf(f)
		if err != nil {
			return "", "", fmt.Errorf("%s: %w", httpx.Quote(f.Name), err)
		}
		if strings.Contains(strings.ToLower(f.Name), "stderr") {
			stderr += text
		} else {
			stdout += text
		}
	}
	return stdout, stderr, nil
}

// contentOf is the text of one file of an archive.
func contentOf(f *zip.File) (string, error) {
	raw, err := f.OpenRaw()
	if err != nil {
		return "", fmt.Errorf("open: %w", err)
	}
	data, err := io.ReadAll(io.LimitReader(raw, maxBody))
	if err != nil {
		return "", fmt.Errorf("read: %w", err)
	}
	if f.Flags&1 != 0 {
		if len(data) < sealHeader {
			return "", errors.New("its header is missing")
		}
		newCipher().open(data)
		data = data[sealHeader:]
	}
	switch f.Method {
	case zip.Store:
	case zip.Deflate:
		if data, err = io.ReadAll(io.LimitReader(flate.NewReader(bytes.NewReader(data)), maxBody)); err != nil {
			return "", fmt.Errorf("inflate: %w", err)
		}
	default:
		return "", fmt.Errorf("its method %d is not known here", f.Method)
	}
	if crc32.ChecksumIEEE(data) != f.CRC32 {
		return "", errors.New("the sum is another: it is encrypted in another way, or damaged")
	}
	return string(data), nil
}

// sealHeader is how many bytes the encryption puts before a file.
const sealHeader = 12

// cipher is the traditional encryption of PKWARE's APPNOTE, section 6.1.
type cipher [3]uint32

func newCipher() *cipher {
	c := &cipher{0x12345678, 0x23456789, 0x34567890}
	for i := range len(archivePassword) {
		c.update(archivePassword[i])
	}
	return c
}

func (c *cipher) update(b byte) {
	sum := func(crc uint32, b byte) uint32 { return crc32.IEEETable[byte(crc)^b] ^ crc>>8 }
	c[0] = sum(c[0], b)
	c[1] = (c[1]+c[0]&0xff)*134775813 + 1
	c[2] = sum(c[2], byte(c[1]>>24))
}

// open decrypts data in place.
func (c *cipher) open(data []byte) {
	for i := range data {
		t := uint16(c[2] | 2)
		data[i] ^= byte((t * (t ^ 1)) >> 8)
		c.update(data[i])
	}
}
