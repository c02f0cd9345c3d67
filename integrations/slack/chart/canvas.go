package chart

import (
	"bytes"
	"fmt"
	"image"
	"image/color"
	"image/draw"
	"image/png"
	"math"

	"golang.org/x/image/font"
	"golang.org/x/image/font/gofont/goregular"
	"golang.org/x/image/font/opentype"
	"golang.org/x/image/math/fixed"
	"golang.org/x/image/vector"
)

// letters is the size of text in pixels, lineHeight that of a line of it.
const (
	letters    = 20
	lineHeight = 24
)

// canvas is a picture of [Width] by [Height] pixels, from the top left.
type canvas struct {
	img  *image.RGBA
	face font.Face
}

func newCanvas() (*canvas, error) {
	parsed, err := opentype.Parse(goregular.TTF)
	if err != nil {
		return nil, fmt.Errorf("read the font: %w", err)
	}
	face, err := opentype.NewFace(parsed, &opentype.FaceOptions{Size: letters, DPI: 72})
	if err != nil {
		return nil, fmt.Errorf("read the font: %w", err)
	}
	c := &canvas{img: image.NewRGBA(image.Rect(0, 0, Width, Height)), face: face}
	c.rect(0, 0, Width, Height, color.White)
	return c, nil
}

func (c *canvas) png() ([]byte, error) {
	var b bytes.Buffer
	if err := png.Encode(&b, c.img); err != nil {
		return nil, fmt.Errorf("write the picture: %w", err)
	}
	return b.Bytes(), nil
}

// rect fills a rectangle.
func (c *canvas) rect(x, y, width, height int, ink color.Color) {
	draw.Draw(c.img, image.Rect(x, y, x+width, y+height), image.NewUniform(ink), image.Point{}, draw.Src)
}

// width is how many pixels wide a text is.
func (c *canvas) width(s string) int { return font.MeasureString(c.face, s).Ceil() }

// text writes from x to the right, with the feet of its letters on y.
func (c *canvas) text(x, y int, s string, ink color.Color) {
	write := font.Drawer{Dst: c.img, Src: image.NewUniform(ink), Face: c.face, Dot: fixed.P(x, y)}
	write.DrawString(s)
}

// textUp writes from y upwards, with the feet of its letters on x.
func (c *canvas) textUp(x, y int, s string, ink color.Color) {
	flat := image.NewRGBA(image.Rect(0, 0, c.width(s), lineHeight))
	foot := c.face.Metrics().Ascent.Ceil()
	write := font.Drawer{Dst: flat, Src: image.NewUniform(ink), Face: c.face, Dot: fixed.P(0, foot)}
	write.DrawString(s)
	turned := image.NewRGBA(image.Rect(0, 0, lineHeight, flat.Rect.Dx()))
	for i := range flat.Rect.Dx() {
		for j := range lineHeight {
			turned.Set(j, flat.Rect.Dx()-1-i, flat.At(i, j))
		}
	}
	draw.Draw(c.img, turned.Rect.Add(image.Pt(x-foot, y-turned.Rect.Dy())), turned, image.Point{}, draw.Over)
}

type point struct{ x, y float64 }

// shape is an area with smooth edges. Where its parts overlap they are one:
// all of them must run in the same direction.
type shape struct{ area *vector.Rasterizer }

func newShape() shape { return shape{vector.NewRasterizer(Width, Height)} }

func (c *canvas) fill(s shape, ink color.Color) {
	s.area.Draw(c.img, c.img.Bounds(), image.NewUniform(ink), image.Point{})
}

// polygon adds an area.
func (s shape) polygon(corners ...point) {
	for i, p := range corners {
		if i == 0 {
			s.area.MoveTo(float32(p.x), float32(p.y))
			continue
		}
		s.area.LineTo(float32(p.x), float32(p.y))
	}
	s.area.ClosePath()
}

// disc adds a disc.
func (s shape) disc(center point, radius float64) {
	const corners = 16
	edge := make([]point, corners)
	for i := range edge {
		sin, cos := math.Sincos(-2 * math.Pi * float64(i) / corners)
		edge[i] = point{center.x + radius*cos, center.y + radius*sin}
	}
	s.polygon(edge...)
}

// line adds a line through points, with round corners.
func (s shape) line(through []point, width float64) {
	for i, q := range through {
		s.disc(q, width/2)
		if i == 0 {
			continue
		}
		p := through[i-1]
		length := math.Hypot(q.x-p.x, q.y-p.y)
		if length == 0 {
			continue
		}
		across := point{-(q.y - p.y) / length * width / 2, (q.x - p.x) / length * width / 2}
		s.polygon(
			point{p.x + across.x, p.y + across.y}, point{q.x + across.x, q.y + across.y},
			point{q.x - across.x, q.y - across.y}, point{p.x - across.x, p.y - across.y})
	}
}
