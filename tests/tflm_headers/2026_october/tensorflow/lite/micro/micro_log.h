// Stand-in: the log function is global and printf-like.
#pragma once
void MicroPrintf(const char* format, ...);
