"""CUTEst's SIF files, compiled without Fortran."""
