//! Code that runs when the library is loaded, before anybody can use it.

/// Makes the loader call an `extern "C" fn()`, once.
macro_rules! at_load {
    ($function:ident) => {
        const _: () = {
            #[used]
            #[cfg_attr(target_vendor = "apple", unsafe(link_section = "__DATA,__mod_init_func"))]
            #[cfg_attr(windows, unsafe(link_section = ".CRT$XCU"))]
            #[cfg_attr(
                not(any(target_vendor = "apple", windows)),
                unsafe(link_section = ".init_array")
            )]
            static AT_LOAD: extern "C" fn() = $function;
        };
    };
}
