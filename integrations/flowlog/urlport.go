package flowlog

import "bytes"

// urlPort returns the port of a URL, with or without a scheme before it; the scheme's own where it has none, nil where that is
// not known.
func urlPort(scheme, url []byte) []byte {
	if i := bytes.Index(url, []byte("://")); i >= 0 && i < 16 {
		scheme, url = url[:i], url[i+3:]
	}
	if i := bytes.IndexAny(url, "/?#"); i >= 0 {
		url = url[:i]
	}
	if i := bytes.LastIndexByte(url, ':'); i > bytes.LastIndexByte(url, ']') {
		if n, ok := parseDigits(url[i+1:]); ok && n > 0 && n < 1<<16 {
			return url[i+1:]
		}
	}
	switch {
	case bytes.EqualFold(scheme, []byte("https")), bytes.EqualFold(scheme, []byte("ssl")):
		return []byte("443")
	case bytes.EqualFold(scheme, []byte("http")):
		return []byte("80")
	case bytes.EqualFold(scheme, []byte("ftp")):
		return []byte("21")
	}
	return nil
}
