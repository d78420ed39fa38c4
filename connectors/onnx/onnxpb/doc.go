// Package onnxpb is ONNX's own schema as Go: what a model file is made of. onnx-ml.proto is that of ONNX 1.23.2
// (github.com/onnx/onnx, Apache-2.0), unchanged, and the code is protoc-gen-go's.
package onnxpb

//go:generate ../../../node_modules/.bin/buf generate
