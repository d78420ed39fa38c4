package onnx

import (
	"encoding/binary"
	"fmt"
	"math"
	"slices"
	"strings"

	ort "github.com/yalue/onnxruntime_go"

	"gleaner/connectors/onnx/onnxpb"
	"gleaner/schemas"
)

// types are the element types of tensors that sessions convert to and from float32, by their names in a TensorSpec.
var types = map[ort.TensorElementDataType]string{
	ort.TensorElementDataTypeFloat: "float32", ort.TensorElementDataTypeDouble: "float64", ort.TensorElementDataTypeFloat16: "float16",
	ort.TensorElementDataTypeInt64: "int64", ort.TensorElementDataTypeInt32: "int32", ort.TensorElementDataTypeUint8: "uint8",
	ort.TensorElementDataTypeBool: "bool",
}

func typeName(t ort.TensorElementDataType) string {
	if name, ok := types[t]; ok {
		return name
	}
	return strings.ToLower(strings.TrimPrefix(t.String(), "ONNX_TENSOR_ELEMENT_DATA_TYPE_"))
}

// Integers are the elements of an int64 tensor of a file.
func Integers(t *onnxpb.TensorProto) []int64 {
	if len(t.GetRawData()) == 0 {
		return t.GetInt64Data()
	}
	out := make([]int64, len(t.GetRawData())/8)
	for i := range out {
		out[i] = int64(binary.LittleEndian.Uint64(t.GetRawData()[8*i:]))
	}
	return out
}

// newTensor allocates a tensor whose dimensions are all known.
func newTensor(spec schemas.TensorSpec) (v ort.Value, err error) {
	shape := ort.NewShape(spec.Shape...)
	switch spec.Type {
	case "float32":
		v, err = ort.NewEmptyTensor[float32](shape)
	case "float64":
		v, err = ort.NewEmptyTensor[float64](shape)
	case "float16":
		v, err = ort.NewCustomDataTensor(shape, make([]byte, 2*shape.FlattenedSize()), ort.TensorElementDataTypeFloat16)
	case "int64":
		v, err = ort.NewEmptyTensor[int64](shape)
	case "int32":
		v, err = ort.NewEmptyTensor[int32](shape)
	case "uint8":
		v, err = ort.NewEmptyTensor[uint8](shape)
	case "bool":
		v, err = ort.NewEmptyTensor[bool](shape)
	default:
		err = fmt.Errorf("elements of type %s", spec.Type)
	}
	if err != nil {
		return nil, fmt.Errorf("tensor %s: %w", spec, err)
	}
	return v, nil
}

// read returns a tensor's numbers: its own memory if they are float32, else converted into dst, grown where it is too short.
func read(v ort.Value, dst []float32) ([]float32, error) {
	switch t := v.(type) {
	case *ort.Tensor[float32]:
		return t.GetData(), nil
	case *ort.Tensor[float64]:
		return convert(dst, t.GetData()), nil
	case *ort.Tensor[int64]:
		return convert(dst, t.GetData()), nil
	case *ort.Tensor[int32]:
		return convert(dst, t.GetData()), nil
	case *ort.Tensor[uint8]:
		return convert(dst, t.GetData()), nil
	case *ort.Tensor[bool]:
		dst = resize(dst, len(t.GetData()))
		for i, on := range t.GetData() {
			dst[i] = 0
			if on {
				dst[i] = 1
			}
		}
		return dst, nil
	case *ort.CustomDataTensor: // float16, see newTensor
		data := t.GetData()
		dst = resize(dst, len(data)/2)
		for i := range dst {
			dst[i] = fromHalf(binary.LittleEndian.Uint16(data[2*i:]))
		}
		return dst, nil
	}
	return nil, fmt.Errorf("a tensor of Go type %T", v)
}

// write puts src into a tensor of as many elements: integers are rounded and clamped, and what is not zero is true.
// A float32 tensor's own memory, as read gives it, is there already.
func write(v ort.Value, src []float32) {
	switch t := v.(type) {
	case *ort.Tensor[float64]:
		for i, x := range src {
			t.GetData()[i] = float64(x)
		}
	case *ort.Tensor[int64]:
		round(t.GetData(), src, -1<<62, 1<<62)
	case *ort.Tensor[int32]:
		round(t.GetData(), src, math.MinInt32, math.MaxInt32)
	case *ort.Tensor[uint8]:
		round(t.GetData(), src, 0, math.MaxUint8)
	case *ort.Tensor[bool]:
		for i, x := range src {
			t.GetData()[i] = x != 0
		}
	case *ort.CustomDataTensor:
		for i, x := range src {
			binary.LittleEndian.PutUint16(t.GetData()[2*i:], toHalf(x))
		}
	}
}

func convert[T float64 | int64 | int32 | uint8](dst []float32, src []T) []float32 {
	dst = resize(dst, len(src))
	for i, x := range src {
		dst[i] = float32(x)
	}
	return dst
}

func round[T int64 | int32 | uint8](dst []T, src []float32, low, high float64) {
	for i, x := range src {
		dst[i] = T(min(max(math.RoundToEven(float64(x)), low), high))
	}
}

func resize(s []float32, n int) []float32 { return slices.Grow(s[:0], n)[:n] }

// fromHalf is the value of an IEEE 754 binary16.
func fromHalf(h uint16) float32 {
	sign := uint32(h&0x8000) << 16
	switch exponent, fraction := uint32(h>>10&0x1f), uint32(h&0x3ff); exponent {
	case 0:
		return math.Float32frombits(sign | math.Float32bits(float32(fraction)/(1<<24)))
	case 0x1f:
		return math.Float32frombits(sign | 0x7f800000 | fraction<<13)
	default:
		return math.Float32frombits(sign | (exponent+127-15)<<23 | fraction<<13)
	}
}

// toHalf rounds to the nearest binary16, of two to the even one.
func toHalf(x float32) uint16 {
	b := math.Float32bits(x)
	sign, b := uint16(b>>16&0x8000), b&0x7fffffff
	switch {
	case b > 0x7f800000: // NaN
		return sign | 0x7e00
	case b >= 0x477ff000: // from 65520 on, infinite
		return sign | 0x7c00
	case b < 0x38800000: // below 2^-14, subnormal
		return sign | uint16(math.RoundToEven(float64(math.Float32frombits(b))*(1<<24)))
	default:
		return sign | uint16((b+0xfff+b>>13&1-(127-15)<<23)>>13)
	}
}
