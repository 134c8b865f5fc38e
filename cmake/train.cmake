# Training and tuning: the program that `pml-run train` and `pml-run tune` execute.
add_executable(pml-train ${train_sources})
target_link_libraries(pml-train PRIVATE room_cli floor_tune)
target_link_options(pml-train PRIVATE -Wl,--as-needed -Wl,--gc-sections)
